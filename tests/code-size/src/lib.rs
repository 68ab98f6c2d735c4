//! All that firmware calls of the core, for both roles, each behind a symbol that keeps it from being left out.
#![no_std]
#![allow(clippy::missing_safety_doc)]

use core::mem::MaybeUninit;

use ws_proto::{
    CloseCode, Config, Connection, Event, Instant, Kind, MaskKeys, Message, RecvBuf, Role, SendBuf,
    TransportAction,
};

type Received = RecvBuf<&'static mut [u8]>;
type Output = SendBuf<&'static mut [u8]>;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[unsafe(no_mangle)]
extern "C" fn size_new(connection: &mut MaybeUninit<Connection>, server: bool, now: u64) {
    let role = if server { Role::Server } else { Role::Client(MaskKeys::from_seed([7; 32])) };
    connection.write(Connection::new(role, Config::new(), Instant::from_millis(now)));
}

#[unsafe(no_mangle)]
extern "C" fn size_read(rx: &mut Received, n: usize) -> usize {
    rx.commit(n);
    rx.spare_mut().len()
}

#[unsafe(no_mangle)]
extern "C" fn size_receive(connection: &mut Connection, rx: &mut Received, now: u64) -> usize {
    match connection.receive(Instant::from_millis(now), rx) {
        Ok(Some(Event::Data(message))) => message.as_bytes().len(),
        Ok(Some(Event::Ping(payload) | Event::Pong(payload))) => payload.len(),
        Ok(Some(Event::Close(frame))) => frame.reason.len(),
        Ok(None) => 0,
        Err(error) => error.close_code().map_or(0, |code| code.as_u16().into()),
    }
}

#[unsafe(no_mangle)]
extern "C" fn size_receive_chunk(connection: &mut Connection, rx: &mut Received, now: u64) -> bool {
    matches!(connection.receive_chunk(Instant::from_millis(now), rx), Ok(Some(_)))
}

#[unsafe(no_mangle)]
extern "C" fn size_receive_eof(connection: &mut Connection) -> bool {
    connection.receive_eof().is_ok()
}

#[unsafe(no_mangle)]
extern "C" fn size_send(connection: &mut Connection, tx: &mut Output, payload: &[u8; 64], n: usize) -> bool {
    connection.send(tx, Message::Binary(payload.get(..n).unwrap_or(&[]))).is_ok()
}

#[unsafe(no_mangle)]
extern "C" fn size_send_fragment(
    connection: &mut Connection,
    tx: &mut Output,
    text: &[u8; 64],
    fin: bool,
) -> bool {
    connection.send_fragment(tx, Kind::Text, text, fin).is_ok()
}

#[unsafe(no_mangle)]
extern "C" fn size_control(connection: &mut Connection, payload: &[u8; 64]) -> bool {
    connection.ping(payload).is_ok() & connection.pong(payload).is_ok()
}

#[unsafe(no_mangle)]
extern "C" fn size_close(connection: &mut Connection, tx: &mut Output, now: u64) -> bool {
    connection.close(Instant::from_millis(now), CloseCode::NORMAL, "bye").is_ok()
        && connection.transport_action(tx) == TransportAction::Keep
}

#[unsafe(no_mangle)]
extern "C" fn size_transmit(connection: &mut Connection, tx: &mut Output, n: usize, now: u64) -> usize {
    let Some(mut transmit) = connection.poll_transmit(Instant::from_millis(now), tx) else { return 0 };
    transmit.advance(n);
    transmit.slices().first().map_or(0, |slice| slice.len())
}

#[unsafe(no_mangle)]
extern "C" fn size_timeout(connection: &mut Connection, now: u64) -> bool {
    connection.handle_timeout(Instant::from_millis(now));
    connection.poll_timeout().is_some()
}
