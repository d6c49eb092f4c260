//! What a session is told that goes on at another address.

use std::net::SocketAddr;

use crate::sip::Uri;

/// Where this end is from now on. All that names the session stays: Call-ID, tags, route set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Address and port of our Via.
    pub sent_by: SocketAddr,
    /// Where in-dialog requests reach us.
    pub contact: Uri,
    /// CSeq numbers, and counts of digest answers, that are left out: owners before may have used them with other
    /// bodies, and no number is used twice.
    pub skip: u32,
}
