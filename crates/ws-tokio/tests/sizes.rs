//! What a connection costs in memory while nothing happens: its own size, and that of the task that it lives in.

use tokio::net::TcpStream;
use ws_tokio::ws_proto::{Config, Connection, Event};
use ws_tokio::{Error, WebSocket};

async fn echo(io: TcpStream) -> Result<(), Error> {
    let mut ws = ws_tokio::accept(io, Config::default()).await?;
    while let Some((event, mut reply)) = ws.next().await? {
        if let Event::Data(message) = event {
            reply.send(message).await?;
        }
    }
    Ok(())
}

/// The size of what a function returns, without calling it.
fn size_of_output<A, F>(_: impl Fn(A) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_websocket_is_small() {
    let own = size_of::<WebSocket<TcpStream>>() - size_of::<TcpStream>() - size_of::<Connection>();
    println!("{own} bytes beside the transport and the connection's {}", size_of::<Connection>());
    assert!(own <= 128, "{own}");
}

#[test]
fn a_task_is_little_more_than_the_websocket_in_it() {
    let future = size_of_output(echo);
    let more = future - size_of::<WebSocket<TcpStream>>();
    println!("{future} bytes of future, {more} of them beside the WebSocket");
    assert!(more <= 128, "{more}");
}
