//! The outbox beside a list of frames, with and without an allocator.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Whether it is a pong, and its bytes.
type Waiting = (bool, Vec<u8>);

/// What the outbox has to be like, as simple as can be.
#[derive(Default)]
struct Naive {
    frames: Vec<Waiting>,
    /// How much of the first frame is transmitted.
    sent: usize,
}

impl Naive {
    fn bytes(&self) -> Vec<u8> {
        self.frames.iter().flat_map(|frame| frame.1.clone()).skip(self.sent).collect()
    }

    /// The frames of which nothing is transmitted.
    fn whole(&self) -> &[Waiting] {
        &self.frames[usize::from(self.sent > 0)..]
    }

    fn push_pong(&mut self, frame: Vec<u8>) {
        while self.bytes().len() + frame.len() > OUTBOX_SIZE {
            let newest = self.whole().iter().rposition(|frame| frame.0).unwrap();
            self.frames.remove(newest + usize::from(self.sent > 0));
        }
        self.frames.push((true, frame));
    }

    fn push_ping(&mut self, frame: Vec<u8>) -> bool {
        let begun = self.bytes().len() - self.whole().iter().map(|frame| frame.1.len()).sum::<usize>();
        let pings: usize = self.whole().iter().filter(|frame| !frame.0).map(|frame| frame.1.len()).sum();
        let pongs = self.whole().iter().filter(|frame| frame.0).map(|frame| frame.1.len());
        let in_the_way = pings + pongs.max().unwrap_or(0).max(begun);
        // A ping takes the room that it would have if it were masked, here and below.
        let size = frame.len() + 4;
        let fits =
            self.bytes().len() + size <= OUTBOX_SIZE && in_the_way + size + MAX_CONTROL_FRAME <= OUTBOX_SIZE;
        if fits {
            self.frames.push((false, frame));
        }
        fits
    }

    fn consume(&mut self, n: usize) {
        self.sent += n;
        while self.frames.first().is_some_and(|frame| frame.1.len() <= self.sent) {
            self.sent -= self.frames.remove(0).1.len();
        }
    }

    fn discard(&mut self) {
        self.frames.truncate(usize::from(self.sent > 0));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pong(usize),
    Ping(usize),
    Consume(usize),
    Discard,
}

fn step() -> impl Strategy<Value = Step> {
    let len = || prop_oneof![0..10_usize, 0..=MAX_CONTROL_PAYLOAD];
    prop_oneof![
        4 => len().prop_map(Step::Pong),
        3 => len().prop_map(Step::Ping),
        3 => (0..OUTBOX_SIZE).prop_map(Step::Consume),
        1 => Just(Step::Discard),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 512 }))]
    #[test]
    fn section_5_5_3_what_waits_is_what_a_list_of_frames_has_and_an_empty_outbox_holds_no_memory(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut outbox = Outbox::new();
        let mut naive = Naive::default();
        for (number, step) in steps.into_iter().enumerate() {
            let payload = |len| std::vec![number as u8; len];
            let frame = |first, len: usize| [&[first, len as u8][..], &payload(len)].concat();
            match step {
                Step::Pong(len) => {
                    outbox.push_pong(&payload(len), None);
                    naive.push_pong(frame(0x8A, len));
                }
                Step::Ping(len) => {
                    let taken = outbox.push_ping(&payload(len), || None).is_ok();
                    prop_assert_eq!(taken, naive.push_ping(frame(0x89, len)));
                }
                Step::Consume(n) => {
                    let n = n.min(outbox.waiting().len());
                    outbox.consume(n);
                    naive.consume(n);
                }
                Step::Discard => {
                    outbox.discard_frames();
                    naive.discard();
                }
            }
            prop_assert_eq!(outbox.waiting(), naive.bytes());
            prop_assert_eq!(outbox.is_empty(), naive.frames.is_empty());
            #[cfg(feature = "alloc")]
            if outbox.is_empty() {
                prop_assert_eq!(outbox.room.bytes().len(), SMALL_OUTBOX);
            }
        }
    }

    #[test]
    fn section_5_5_1_a_close_frame_waits_whole_whatever_its_length_and_holds_no_memory_once_it_is_sent(
        body in proptest::collection::vec(any::<u8>(), 0..=MAX_CONTROL_PAYLOAD),
        key in any::<Option<[u8; 4]>>(),
        steps in proptest::collection::vec(1..80_usize, 0..10),
    ) {
        let mut slot = CloseSlot::new();
        slot.queue(b"withdrawn", None);
        prop_assert!(slot.is_queued() && slot.is_replaceable());
        slot.withdraw();
        prop_assert!(!slot.is_queued() && slot.waiting().is_empty());
        slot.queue(&body, key);
        let mut frame = std::vec![0x88, body.len() as u8];
        match key {
            None => frame.extend(&body),
            Some(key) => {
                frame[1] |= 0x80;
                frame.extend(key);
                frame.extend(body.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
            }
        }
        let mut sent = 0;
        for n in steps.into_iter().chain([frame.len()]) {
            prop_assert_eq!(slot.waiting(), &frame[sent..]);
            prop_assert_eq!(slot.is_sent(), sent == frame.len());
            prop_assert_eq!(slot.is_inside_frame(), sent > 0 && sent < frame.len());
            let n = n.min(frame.len() - sent);
            slot.consume(n);
            sent += n;
        }
        prop_assert!(slot.is_sent() && slot.waiting().is_empty());
        #[cfg(feature = "alloc")]
        prop_assert_eq!(slot.room.bytes().len(), SMALL_CLOSE);
    }
}
