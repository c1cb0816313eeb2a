//! The program: see the library.

fn main() -> std::process::ExitCode {
    serai_processor::program::main()
}
