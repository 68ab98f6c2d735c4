//! The stacks on tokio, on a runtime of one thread, a task a connection.
//!
//! Those that have an interface in batches (`Sink`) flush when no further message is there, which is what `forward`
//! does and what costs them least. Those that take a transport that was upgraded elsewhere get one, without an HTTP library.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::unconstrained;

use super::{MAX_MESSAGE, READ_SIZE};
use crate::load::upgrade;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn serve<F>(listener: std::net::TcpListener, echo: fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                // A load generator that is done just leaves.
                let _ = echo(stream).await;
            });
        }
    })
}

/// The opening handshake, by hand. Nothing is behind the request.
async fn upgraded(mut stream: TcpStream) -> io::Result<TcpStream> {
    // Not on the stack, which is part of the task for as long as that lives.
    let mut head = vec![0; 2048];
    let n = stream.read(&mut head).await?;
    let mut response = Vec::new();
    upgrade::respond(&head[..n], &mut response);
    stream.write_all(&response).await?;
    Ok(stream)
}

/// Echoes what `is_data` and flushes when nothing more is there.
async fn echo_batches<S, M, E>(mut socket: S, is_data: fn(&M) -> bool) -> Result<(), Error>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    E: Into<Error>,
{
    loop {
        let next = match socket.next().now_or_never() {
            Some(next) => next,
            None => {
                socket.flush().await.map_err(Into::into)?;
                socket.next().await
            }
        };
        let Some(message) = next else { return Ok(()) };
        let message = message.map_err(Into::into)?;
        if is_data(&message) {
            socket.feed(message).await.map_err(Into::into)?;
        }
    }
}

thread_local! {
    /// Buffers that nobody uses at the moment: an idle connection holds none.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The limit of tokio: bytes come back as they came.
pub(super) fn raw(listener: std::net::TcpListener) -> io::Result<()> {
    serve(listener, |stream| async {
        let mut stream = upgraded(stream).await?;
        loop {
            let (buffer, n) = poll_fn(|context| {
                let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; READ_SIZE]);
                let mut read = ReadBuf::new(&mut buffer);
                let polled = Pin::new(&mut stream).poll_read(context, &mut read);
                let n = read.filled().len();
                match polled {
                    Poll::Ready(result) => Poll::Ready(result.map(|()| (buffer, n))),
                    Poll::Pending => {
                        BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
                        Poll::Pending
                    }
                }
            })
            .await?;
            if n == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..n]).await?;
            BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
        }
    })
}

/// A large message goes back without being copied.
async fn pass_on(socket: &mut ws_tokio::WebSocket<TcpStream>) -> Result<(), ws_tokio::Error> {
    match socket.take_message() {
        Some(message) => socket.feed(message).await,
        None => Ok(()),
    }
}

pub(super) fn ws_tokio(listener: std::net::TcpListener) -> io::Result<()> {
    use ws_tokio::ws_proto::{Config, Event};

    serve(listener, |stream| async {
        let config = Config::default().max_message_size(MAX_MESSAGE);
        let mut socket = ws_tokio::accept(stream, config).await?;
        loop {
            // Not `while let`, which keeps what it looks at in the task beside what comes of that.
            let Some((event, mut reply)) = socket.next().await? else { return Ok(()) };
            let Event::Data(message) = event else { continue };
            if message.as_bytes().len() < 64 << 10 {
                reply.send(message).await?;
            } else {
                // On the heap, so that no task carries it for good.
                Box::pin(pass_on(&mut socket)).await?;
            }
        }
    })
}

pub(super) fn tokio_tungstenite(listener: std::net::TcpListener) -> io::Result<()> {
    serve(listener, |stream| async {
        let socket = tokio_tungstenite::accept_async(stream).await?;
        echo_batches(socket, |message| message.is_binary() || message.is_text()).await
    })
}

pub(super) fn fastwebsockets(listener: std::net::TcpListener) -> io::Result<()> {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};

    serve(listener, |stream| async {
        let mut socket = WebSocket::after_handshake(upgraded(stream).await?, Role::Server);
        socket.set_max_message_size(MAX_MESSAGE);
        let mut socket = FragmentCollector::new(socket);
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                _ => {}
            }
        }
    })
}

pub(super) fn tokio_websockets(listener: std::net::TcpListener) -> io::Result<()> {
    use tokio_websockets::{Config, Limits, ServerBuilder};

    // As in its own example of an echo server; but that has one write a message, for receiving writes what was fed.
    serve(listener, |stream| {
        unconstrained(async {
            let limits = Limits::default().max_payload_len(Some(MAX_MESSAGE));
            let config = Config::default().frame_size(usize::MAX);
            let (_, mut socket) = ServerBuilder::new().config(config).limits(limits).accept(stream).await?;
            let mut batch = Vec::new();
            while let Some(message) = socket.next().await {
                batch.push(message?);
                while batch.len() < 64
                    && let Some(Some(message)) = socket.next().now_or_never()
                {
                    batch.push(message?);
                }
                for message in batch.drain(..).filter(|message| message.is_binary() || message.is_text()) {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
            Ok(())
        })
    })
}

pub(super) fn yawc(listener: std::net::TcpListener) -> io::Result<()> {
    use yawc::{OpCode, Options, Role, WebSocket};

    serve(listener, |stream| async {
        let options = Options::default().with_utf8().with_limits(MAX_MESSAGE, 2 * MAX_MESSAGE);
        let mut socket = WebSocket::from_stream(upgraded(stream).await?, Role::Server, options)?;
        loop {
            let next = match socket.next_frame().now_or_never() {
                Some(next) => next,
                None => {
                    socket.flush().await?;
                    socket.next_frame().await
                }
            };
            let frame = next?;
            match frame.opcode() {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => socket.feed(frame).await?,
                _ => {}
            }
        }
    })
}

pub(super) fn sockudo_ws(listener: std::net::TcpListener) -> io::Result<()> {
    use sockudo_ws::{Config, WebSocketStream};

    serve(listener, |stream| async {
        let socket = WebSocketStream::server(upgraded(stream).await?, Config::default());
        echo_batches(socket, |message| message.is_binary() || message.is_text()).await
    })
}

#[cfg(feature = "wtx")]
pub(super) fn wtx(listener: std::net::TcpListener) -> io::Result<()> {
    use wtx::collections::Vector;
    use wtx::rng::Xorshift64;
    use wtx::tls::{KeySchedule, PlaintextCtx, TlsBuffer, TlsStream};
    use wtx::web_socket::{OpCode, WebSocket, WebSocketBuffer, WebSocketPayloadOrigin};

    serve(listener, |stream| async {
        let stream = upgraded(stream).await?;
        let stream = TlsStream::<_, PlaintextCtx, false>::new(
            TlsBuffer::new(),
            KeySchedule::default(),
            16 << 10,
            16 << 10,
            stream,
        )?;
        let mut socket = WebSocket::new((), false, Xorshift64::new(1), stream, WebSocketBuffer::new());
        let (mut common, mut reader, mut writer) = socket.split_mut();
        let mut buffer = Vector::new();
        loop {
            buffer.clear();
            let mut frame =
                reader.read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive).await?;
            match frame.op_code() {
                OpCode::Close => return Ok(()),
                OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
                _ => {}
            }
        }
    })
}
