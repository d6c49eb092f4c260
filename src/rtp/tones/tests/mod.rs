//! Tones that are made here, and what the detectors say of them.

mod dtmf;
mod signals;
mod sound;
