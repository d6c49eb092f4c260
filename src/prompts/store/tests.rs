//! Prompts as callers hear them.
