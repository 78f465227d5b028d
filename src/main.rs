//! The binary: everything it does is in the library, where tests reach it.

fn main() -> std::process::ExitCode {
    ldwatch::cli::main()
}
