//! stub
/// Parses the command line, runs it, and returns the exit code.
pub fn main() -> std::process::ExitCode {
    todo!()
}
