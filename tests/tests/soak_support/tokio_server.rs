//! The echo server, over tokio.

use tokio::net::{TcpListener, TcpStream};
use ws_proto::handshake::AcceptOptions;
use ws_proto::{CloseCode, Event, Message, SendError};
use ws_tokio::{Error, receive_request};

use super::{ACCOUNTS, PLEASE_CLOSE, config, count, limits, tell};

pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        tell(listener.local_addr().unwrap().port());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async {
                if let Some(ended) = echo(stream).await {
                    count(if ended.is_ok() { &ACCOUNTS.clean } else { &ACCOUNTS.broken });
                }
            });
        }
    });
}

/// `None` if it never was a WebSocket.
async fn echo(stream: TcpStream) -> Option<Result<(), Error>> {
    stream.set_nodelay(true).ok()?;
    let request = receive_request(stream, limits()).await.ok()?;
    let mut ws = request.accept(&AcceptOptions::default(), config()).await.ok()?;
    count(&ACCOUNTS.opened);
    loop {
        let (event, mut reply) = match ws.next().await {
            Ok(Some(next)) => next,
            Ok(None) => return Some(Ok(())),
            Err(error) => return Some(Err(error)),
        };
        let Event::Data(message) = event else { continue };
        count(&ACCOUNTS.messages);
        let answered = match message {
            Message::Text(PLEASE_CLOSE) => reply.close(CloseCode::GOING_AWAY, "as you wish"),
            message => reply.send(message).await,
        };
        match answered {
            Ok(()) | Err(Error::Send(SendError::Closing)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}
