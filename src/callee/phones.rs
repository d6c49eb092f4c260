//! The telephones of a crowd: conversations by slot, and the sockets of each slot in the poll.

use std::io;

use mio::{Interest, Poll, Token};

use super::conversation::Conversation;
use super::sockets::MediaSockets;
use crate::id::CallId;
use crate::time::Timestamp;

/// Tokens from here on are two for each slot: RTP, RTCP.
pub(super) const FIRST_PHONE: usize = 2;

/// Conversations by slot; a slot is used again.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) phones: Vec<Option<Phone>>,
    free: Vec<usize>,
}

/// One telephone: a conversation, and how messages and deadlines find it.
pub(super) struct Phone {
    pub(super) conversation: Conversation,
    pub(super) call: String,
    pub(super) id: CallId,
    pub(super) due: Option<Timestamp>,
    pub(super) registered: bool,
}

impl Slots {
    pub(super) fn insert(&mut self, phone: Phone) -> usize {
        if let Some(slot) = self.free.pop() {
            self.phones[slot] = Some(phone);
            return slot;
        }
        self.phones.push(Some(phone));
        self.phones.len() - 1
    }

    pub(super) fn remove(&mut self, slot: usize) -> Option<Phone> {
        let phone = self.phones.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(phone)
    }

    pub(super) fn at(&mut self, slot: usize) -> Option<&mut Phone> {
        self.phones.get_mut(slot)?.as_mut()
    }
}

/// Listens to both sockets of a slot.
pub(super) fn register(poll: &Poll, sockets: &mut MediaSockets, slot: usize) -> io::Result<()> {
    let token = FIRST_PHONE + 2 * slot;
    poll.registry().register(&mut sockets.rtp, Token(token), Interest::READABLE)?;
    poll.registry().register(&mut sockets.rtcp, Token(token + 1), Interest::READABLE)
}
