//! Questionnaire XML, read to a checked definition. Pure.
