//! Echoes every message, and shows a page to browsers. `--help` lists the flags.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use ws_example_support::{PAGE, ServerArgs, announce};
use ws_tokio::ws_proto::handshake::{HandshakeLimits, Response};
use ws_tokio::ws_proto::{Chunk, CloseCode, Event, Kind};
use ws_tokio::{Error, WebSocket, receive_request};

fn main() -> io::Result<()> {
    let args = ServerArgs::from_env();
    let mut runtime = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.worker_threads(args.threads).enable_all().build()?.block_on(serve(args))
}

async fn serve(args: ServerArgs) -> io::Result<()> {
    let listener = TcpListener::bind(args.listen).await?;
    announce(listener.local_addr()?, "tokio_echo_client");

    // Set once, when everybody is to leave.
    let (leave, leaving) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(signalled());
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(serve_connection(stream, peer, args.clone(), leaving.clone()));
                }
                Err(error) => {
                    // Out of descriptors, most likely: it gets better when connections end.
                    eprintln!("accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    leave.send_replace(true);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves one connection, and says on standard error how it ended.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    args: ServerArgs,
    mut leaving: watch::Receiver<bool>,
) {
    let opened = tokio::select! {
        opened = open(stream, &args) => opened,
        () = told_to_leave(&mut leaving) => return,
    };
    let mut ws = match opened {
        Ok(Some(ws)) => ws,
        Ok(None) => return eprintln!("{peer} was shown the page"),
        Err(error) => return eprintln!("{peer} failed: {error}"),
    };
    let result = tokio::select! {
        result = echo(&mut ws, args.streaming) => result,
        () = told_to_leave(&mut leaving) => ws.close(CloseCode::GOING_AWAY, "the server stops").await,
    };
    // Without an outcome it did not come to its end: sending failed, which is an error.
    let error = result.err().map_or_else(String::new, |error| error.to_string());
    match ws.outcome() {
        Some(outcome) => eprintln!("{peer} {outcome}"),
        None => eprintln!("{peer} failed: {error}"),
    }
}

/// The opening handshake; or the page, for whoever asks for no WebSocket.
async fn open(stream: TcpStream, args: &ServerArgs) -> Result<Option<WebSocket<TcpStream>>, Error> {
    stream.set_nodelay(true)?;
    let limits = HandshakeLimits::default().timeout(Some(args.handshake_timeout));
    let incoming = receive_request(stream, limits).await?;
    let request = incoming.request()?;
    if request.method() == "GET" && !request.is_upgrade() {
        let html = [("Content-Type", "text/html; charset=utf-8")];
        let response = match request.path() {
            "/" => Response::new(200).headers(&html).body(PAGE.as_bytes()),
            _ => Response::new(404),
        };
        incoming.respond(&response).await?;
        return Ok(None);
    }
    incoming.accept(&args.accept_options(), args.config()).await.map(Some)
}

async fn echo(ws: &mut WebSocket<TcpStream>, streaming: bool) -> Result<(), Error> {
    if streaming {
        return echo_pieces(ws).await;
    }
    while let Some((event, mut reply)) = ws.next().await? {
        if let Event::Data(message) = event {
            reply.send(message).await?;
        }
    }
    Ok(())
}

/// Messages of any size, without ever holding one: each piece goes back as a fragment when it comes.
async fn echo_pieces(ws: &mut WebSocket<TcpStream>) -> Result<(), Error> {
    let mut kind = Kind::Binary;
    while let Some((event, mut reply)) = ws.next_chunk().await? {
        match event {
            Event::Data(Chunk::FrameStart(header)) => kind = header.kind,
            Event::Data(Chunk::Data(piece)) => reply.send_fragment(kind, piece.as_bytes(), false).await?,
            Event::Data(Chunk::FrameEnd { fin: true }) => reply.send_fragment(kind, &[], true).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Waits until everybody is to leave.
async fn told_to_leave(leaving: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good a reason.
    let _ = leaving.wait_for(|leaving| *leaving).await;
}

/// Waits until somebody wants the server to stop: SIGTERM or SIGINT.
async fn signalled() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
