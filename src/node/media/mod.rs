//! The media engine: a few named threads, each with a 20 ms wheel over the streams of many calls.
//!
//! ```text
//! shard ── Command ──► thread "media-n": poll sockets ─► Line::receive
//!       ◄─ MediaEvent ──                 turn wheel  ─► Line::tick ─► send
//! ```
//! [`wheel`], [`playout`], [`tap`], [`ears`], [`dialler`], [`recorder`], [`control`] and [`line`] are pure and tested
//! without clock and sockets; [`thread`] carries out what they say.

mod control;
mod dialler;
mod ears;
mod engine;
mod lateness;
mod line;
mod playout;
mod recorder;
mod tap;
mod thread;
mod voice;
mod wheel;

#[cfg(test)]
mod tests;

pub(crate) use engine::{Command, Engine, MediaEvent, Opening, Outlet};
pub(crate) use lateness::Lateness;
pub use lateness::LatenessCounts;
pub(crate) use line::{Statistics, Told};
pub(crate) use playout::{End, RENDER_LIMIT};
pub(crate) use recorder::beep;
pub(crate) use recorder::{Untaken, Why};

pub(crate) use crate::call::{MediaPlan, PlayId};
pub(crate) use crate::prompts::Clip;
