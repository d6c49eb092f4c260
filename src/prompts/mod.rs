//! Audio files and speech, encoded once to ready-to-send frames. Edge.
