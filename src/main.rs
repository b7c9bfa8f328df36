//! The door: arguments in, exit status out, nothing else.

fn main() {}
