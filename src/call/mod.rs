//! One call: signalling, negotiated media and interview as one machine. Pure.
