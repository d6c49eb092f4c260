//! A call as its shard holds it: the machine, what waits for saves, its media and its place in the timers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::parking::Parking;
use crate::call::{Call, Output, TryNumber};
use crate::id::{Epoch, Revision};
use crate::node::budgets::Channel;
use crate::node::inherit::Countdown;
use crate::node::masked::Masked;
use crate::node::media::Statistics;
use crate::node::ports::PortPair;
use crate::node::{Reserved, Ways};
use crate::outcome::Disposition;
use crate::time::Timestamp;

/// A call whose shard this is.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) call: Call,
    ways: Ways,
    pub(super) parking: Parking<Output>,
    pub(super) media: Media,
    /// Its place on its trunk, until its outcome is known.
    pub(super) channel: Option<Channel>,
    /// Where it stands in the timers.
    pub(super) due: Option<Timestamp>,
    /// Under what it was saved last.
    pub(super) saved: (Epoch, Revision),
    /// Places in quotas were asked for: those of them that are full.
    pub(super) reserved: Option<Vec<String>>,
    pub(super) ending: Ending,
    /// It was another instance's, and is not saved here yet.
    pub(super) inherited: Option<Arc<Countdown>>,
    pub(super) span: Span,
}

/// The RTP side of a call.
#[derive(Debug)]
pub(super) enum Media {
    /// Ports are bound and offered; nothing is sent yet.
    Bound(PortPair),
    /// A media thread has the stream.
    Open {
        /// Its number.
        thread: usize,
    },
    /// It is being closed by that thread.
    Closing,
    /// There is none any more.
    Closed,
}

/// How far a call's end has come.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Its outcome, until the line about it is logged.
    unlogged: Option<(Disposition, Duration)>,
    statistics: Option<Statistics>,
    /// The result was given out.
    pub(super) told: bool,
    /// The result is kept elsewhere.
    pub(super) stored: bool,
    /// Nothing is owed to the peer.
    pub(super) forgotten: bool,
}

impl Live {
    /// A call that is about to be placed.
    pub(super) fn new(call: Call, reserved: Reserved) -> Self {
        let Reserved { ways, ports, channel } = reserved;
        let saved = (Epoch::default(), Revision::default());
        let live = Self::of(call, saved, ways, Media::Bound(ports), channel);
        live.span.in_scope(|| tracing::info!(to = %Masked(live.call.to()), "call placed"));
        live
    }

    /// A call of the process before, as it was saved last.
    pub(super) fn resumed(
        call: Call,
        saved: (Epoch, Revision),
        ways: Ways,
        ports: Option<PortPair>,
        channel: Channel,
    ) -> Self {
        let live = Self::of(call, saved, ways, ports.map_or(Media::Closed, Media::Bound), channel);
        live.span.in_scope(|| tracing::info!(to = %Masked(live.call.to()), "call goes on"));
        live
    }

    fn of(call: Call, saved: (Epoch, Revision), ways: Ways, media: Media, channel: Channel) -> Self {
        let span = tracing::info_span!("call", call = %call.id(), trunk = call.trunk());
        Self {
            call,
            ways,
            parking: Parking::new(),
            media,
            channel: Some(channel),
            due: None,
            saved,
            reserved: None,
            ending: Ending::default(),
            inherited: None,
            span,
        }
    }

    /// The local address that this trunk is called from.
    pub(super) fn way(&self, through: TryNumber) -> usize {
        let way = self.ways.get(usize::from(through.0)).or(self.ways.first());
        way.copied().unwrap_or(0)
    }

    /// Whether the record may be deleted and the call forgotten.
    pub(super) const fn is_done(&self) -> bool {
        self.ending.told && self.ending.stored && self.ending.forgotten
    }

    /// The outcome is known.
    pub(super) fn ended(&mut self, disposition: Disposition, lasted: Duration) {
        self.ending.told = true;
        self.ending.unlogged = Some((disposition, lasted));
        self.log_end();
    }

    /// The media thread has ended the stream.
    pub(super) fn media_closed(&mut self, statistics: Statistics) {
        self.media = Media::Closed;
        self.ending.statistics = Some(statistics);
        self.log_end();
    }

    /// The peer's packets come from elsewhere.
    pub(super) fn latched(&self, to: SocketAddr) {
        self.span
            .in_scope(|| tracing::debug!(%to, "the callee's media comes from another address; following it"));
    }

    /// One line at a call's end, when both its outcome and its media are known.
    fn log_end(&mut self) {
        if matches!(self.media, Media::Open { .. } | Media::Closing) {
            return;
        }
        let Some((disposition, lasted)) = self.ending.unlogged.take() else { return };
        let _entered = self.span.enter();
        let lasted_ms = lasted.as_millis();
        match self.ending.statistics.take() {
            Some(Statistics {
                sent,
                received,
                lost,
                malformed,
                skipped,
                unsent,
                strangers,
                early,
                loudest_dbfs,
                report,
            }) => {
                let mos = report.and_then(|report| report.mos);
                tracing::info!(
                    %disposition, lasted_ms, sent, received, lost, malformed, skipped, unsent, strangers,
                    early, loudest_dbfs, mos, "call ended"
                );
            }
            None => tracing::info!(%disposition, lasted_ms, "call ended"),
        }
    }
}
