//! The load: a client by hand, without any of the libraries, on a core of its own.

mod generator;
mod process;
pub mod upgrade;

pub use generator::{Generator, Load, Result, Traffic};
pub use process::ServerProcess;
