//! The `mesa` command.

fn main() -> std::process::ExitCode {
    mesa::cli::main()
}
