//! Scripted respondents: a SIP user agent server for demo, tests and load. Edge.
