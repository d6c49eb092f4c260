//! The `baton` binary: hands its arguments to the room `cli` and returns its exit code.

fn main() -> std::process::ExitCode {
    baton::cli::main()
}
