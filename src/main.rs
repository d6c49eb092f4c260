//! The `baton` binary: reads arguments and calls the room `cli`.

fn main() {}
