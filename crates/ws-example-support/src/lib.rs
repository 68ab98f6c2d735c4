//! What the example programs of ws-mio and ws-tokio share: their arguments, the page that the echo servers show to a
//! browser, and how the clients print what they receive. Nothing here is about WebSocket.

mod args;
mod print;

pub use args::{AutobahnArgs, ClientArgs, ServerArgs};
pub use print::{PAGE, announce, describe_close, escape_control};
