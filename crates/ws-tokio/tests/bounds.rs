//! What the compiler has to know: futures that can be spawned, and types that can be kept anywhere.

#![allow(clippy::unwrap_used, reason = "a test")]

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use ws_proto::handshake::{AcceptOptions, ClientRequest, HandshakeLimits, Response};
use ws_proto::{CloseCode, Config, Kind};
use ws_tokio::{
    Accepted, CloseFrame, Error, IncomingRequest, Message, Rejection, Reply, Utf8Bytes, WebSocket, accept,
    connect, connect_over, connect_with, receive_request,
};

const fn is_send<T: Send>(_: &T) {}
const fn is_send_type<T: Send>() {}
const fn is_kept_anywhere<T: Send + Sync + Unpin>() {}

#[test]
fn what_is_kept_can_be_kept_anywhere() {
    is_kept_anywhere::<WebSocket<TcpStream>>();
    is_kept_anywhere::<WebSocket<DuplexStream>>();
    is_kept_anywhere::<IncomingRequest<TcpStream>>();
    is_kept_anywhere::<Reply<'_, TcpStream>>();
    is_kept_anywhere::<Message>();
    is_kept_anywhere::<CloseFrame>();
    is_kept_anywhere::<Utf8Bytes>();
    is_kept_anywhere::<Error>();
    is_kept_anywhere::<Accepted>();
    is_kept_anywhere::<Rejection>();
    const fn is_error<T: std::error::Error + 'static>() {}
    is_error::<Error>();
}

/// For any transport that is `Send`, whether it is `Sync` or not.
#[allow(dead_code, reason = "it compiles or it does not")]
fn every_future_is_send<IO: AsyncRead + AsyncWrite + Unpin + Send>(
    mut ws: WebSocket<IO>,
    make: impl Fn() -> (IO, IncomingRequest<IO>),
    request: &ClientRequest<'_>,
) {
    is_send_type::<WebSocket<IO>>();
    let (config, limits) = (Config::default(), HandshakeLimits::default());
    is_send(&accept(make().0, config));
    is_send(&receive_request(make().0, limits));
    is_send(&make().1.accept(&AcceptOptions::new(), config));
    is_send(&make().1.respond(&Response::new(200)));
    is_send(&connect("ws://localhost/", config));
    is_send(&connect_with(request, limits, config));
    is_send(&connect_over(make().0, request, limits, config));
    is_send(&ws.next());
    is_send(&ws.recv());
    is_send(&ws.send(Message::text("")));
    is_send(&ws.feed(Message::text("")));
    is_send(&ws.send_fragment(Kind::Text, b"", true));
    is_send(&ws.flush());
    is_send(&ws.close(CloseCode::NORMAL, ""));
    is_send(&ws.close_now(CloseCode::NORMAL, ""));
    is_send(&async {
        if let Ok(Some((_, mut reply))) = ws.next().await {
            is_send(&reply.send(ws_proto::Message::Text("")));
            is_send(&reply.send_owned(Message::text("")));
            is_send(&reply.send_fragment(Kind::Text, b"", true));
            is_send(&reply.flush());
        }
    });
}

/// A transport that stays on its thread is welcome as well.
#[tokio::test]
async fn a_transport_need_not_be_send() {
    struct Local(DuplexStream, std::rc::Rc<()>);
    impl AsyncRead for Local {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buf: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }
    impl AsyncWrite for Local {
        fn poll_write(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buf: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            assert_eq!(std::rc::Rc::strong_count(&self.1), 1);
            std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
        }

        fn poll_flush(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::pin::Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
    let (_raw, io) = tokio::io::duplex(64);
    let io = Local(io, std::rc::Rc::new(()));
    let mut ws = WebSocket::from_upgraded(io, ws_proto::Role::Server, Config::default(), &[]);
    ws.send(Message::text("hello")).await.unwrap();
}
