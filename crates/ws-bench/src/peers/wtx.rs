//! wtx with its feature `optimizations-std`: `read_frame` with payloads that lie where they were received, and
//! `write_frame`, which has no batches. A client masks the payload where it lies, and checks text before: what it has sent
//! once is no text any more, and so it takes no part there.

use std::num::NonZeroUsize;
use std::rc::Rc;

use tokio::runtime::{Builder, Runtime};
use wtx::collections::{MaybeUninitSlice, Vector};
use wtx::net::{Stream, StreamCommon, StreamReader, StreamWriter};
use wtx::rng::Xorshift64;
use wtx::tls::{KeySchedule, PlaintextCtx, TlsBuffer, TlsStream};
use wtx::web_socket::{Frame, OpCode, WebSocket, WebSocketBuffer, WebSocketPayloadOrigin};

use super::{Contender, MAX_MESSAGE};
use crate::case::{Decode, Encode, Role, Tally};
use crate::memory_io::{MemoryIo, now};

pub(super) const CONTENDER: Contender = Contender {
    name: "wtx",
    peer: true,
    decoder: |case, wire| {
        if case.deflate.is_some() {
            return None;
        }
        let (io, buffer) = (MemoryIo::reading(wire), Vector::new());
        Some(match case.role {
            Role::Client => Box::new(Decoder { socket: socket::<true>(io), buffer }),
            Role::Server => Box::new(Decoder { socket: socket::<false>(io), buffer }),
        })
    },
    encoder: |case, payload, output| {
        if case.deflate.is_some() || (case.role == Role::Client && case.content.is_text()) {
            return None;
        }
        let opcode = if case.content.is_text() { OpCode::Text } else { OpCode::Binary };
        let io = MemoryIo::writing(output);
        Some(match case.role {
            Role::Client => Box::new(Encoder { socket: socket::<true>(io), payload: payload.into(), opcode }),
            Role::Server => {
                Box::new(Encoder { socket: socket::<false>(io), payload: payload.into(), opcode })
            }
        })
    },
};

type Socket<const IS_CLIENT: bool> = WebSocket<(), MemoryIo, PlaintextCtx, IS_CLIENT>;

thread_local! {
    /// Where the timers are that each socket has, though none of them is ever waited for.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
}

fn socket<const IS_CLIENT: bool>(io: MemoryIo) -> Socket<IS_CLIENT> {
    RUNTIME.with(|runtime| {
        let _inside = runtime.enter();
        new_socket(io)
    })
}

fn new_socket<const IS_CLIENT: bool>(io: MemoryIo) -> Socket<IS_CLIENT> {
    let stream = TlsStream::new(TlsBuffer::new(), KeySchedule::default(), 16 * 1024, 16 * 1024, io).unwrap();
    let mut socket = WebSocket::new((), false, Xorshift64::new(1), stream, WebSocketBuffer::new());
    *socket.max_payload_len_mut() = MAX_MESSAGE;
    socket
}

struct Decoder<const IS_CLIENT: bool> {
    socket: Socket<IS_CLIENT>,
    buffer: Vector<u8>,
}

impl<const IS_CLIENT: bool> Decode for Decoder<IS_CLIENT> {
    fn decode(&mut self, messages: usize, tally: &mut Tally) {
        let Self { socket, buffer } = self;
        now(async {
            for _ in 0..messages {
                buffer.clear();
                let frame = socket.read_frame(buffer, WebSocketPayloadOrigin::Adaptive).await.unwrap();
                tally.message(frame.op_code() == OpCode::Text, frame.payload());
            }
        });
    }
}

struct Encoder<const IS_CLIENT: bool> {
    socket: Socket<IS_CLIENT>,
    payload: Vec<u8>,
    opcode: OpCode,
}

impl<const IS_CLIENT: bool> Encode for Encoder<IS_CLIENT> {
    fn encode(&mut self, messages: usize) {
        let Self { socket, payload, opcode } = self;
        now(async {
            for _ in 0..messages {
                let mut frame = Frame::new_fin(*opcode, &mut payload[..]).unwrap();
                socket.write_frame(&mut frame).await.unwrap();
            }
        });
    }
}

impl Stream for MemoryIo {
    type BridgeOwned = ();
    type ReadHalfOwned = Self;
    type WriteHalfOwned = Self;

    fn into_split(self) -> wtx::Result<((), Self, Self)> {
        Ok(((), Self { wire: self.wire, output: Rc::default() }, Self { wire: None, output: self.output }))
    }
}

impl StreamCommon for MemoryIo {}

impl StreamReader for MemoryIo {
    #[inline]
    async fn read(&mut self, mut bytes: MaybeUninitSlice<'_, u8>) -> wtx::Result<Option<NonZeroUsize>> {
        let Some(wire) = &mut self.wire else { return Ok(None) };
        let room = bytes.uninitialized_mut();
        let next = wire.next(room.len());
        let n = next.len();
        room[..n].write_copy_of_slice(next);
        wire.advance(n);
        Ok(NonZeroUsize::new(n))
    }
}

impl StreamWriter for MemoryIo {
    #[inline]
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.output.take(bytes);
        Ok(())
    }

    #[inline]
    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        slices.iter().for_each(|slice| self.output.take(slice));
        Ok(())
    }
}
