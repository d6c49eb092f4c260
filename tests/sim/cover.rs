//! Which event was met in which state of a call: what the simulation has seen is asserted, not hoped for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use baton::call::{Activity, Input, Phase};
use baton::sip::{Message, Method, Response};

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    Started,
    Provisional,
    Success,
    Failure,
    Moved,
    Refreshed,
    Update,
    Bye,
    Reinvite,
    Ack,
    Key,
    PromptEnded,
    QuotaAnswered,
    MediaClosed,
    Taken,
    TimedOut,
    Stopped,
    Restored,
    TakenOver,
    Stalled,
}

pub(crate) const EVENTS: [Event; 20] = [
    Event::Started,
    Event::Provisional,
    Event::Success,
    Event::Failure,
    Event::Moved,
    Event::Refreshed,
    Event::Update,
    Event::Bye,
    Event::Reinvite,
    Event::Ack,
    Event::Key,
    Event::PromptEnded,
    Event::QuotaAnswered,
    Event::MediaClosed,
    Event::Taken,
    Event::TimedOut,
    Event::Stopped,
    Event::Restored,
    Event::TakenOver,
    Event::Stalled,
];

pub(crate) const PHASES: [Phase; 12] = [
    Phase::Calling,
    Phase::Talking(Activity::Dialling),
    Phase::Talking(Activity::Saying),
    Phase::Talking(Activity::Asking),
    Phase::Talking(Activity::Collecting),
    Phase::Talking(Activity::Recording),
    Phase::Talking(Activity::Reserving),
    Phase::Talking(Activity::Parting),
    Phase::Talking(Activity::OnHold),
    Phase::Closing,
    Phase::Settling,
    Phase::Ended,
];

impl Event {
    pub(crate) fn of(input: &Input) -> Option<Self> {
        Some(match input {
            Input::Started => Self::Started,
            Input::Received { message, .. } => match message.as_ref() {
                Message::Response(response) => match response.status().as_u16() {
                    ..200 => Self::Provisional,
                    200..300 if refreshes(response) => Self::Refreshed,
                    200..300 => Self::Success,
                    300..400 => Self::Moved,
                    400.. => Self::Failure,
                },
                Message::Request(request) if *request.method() == Method::Update => Self::Update,
                Message::Request(request) if *request.method() == Method::Bye => Self::Bye,
                Message::Request(request) if *request.method() == Method::Invite => Self::Reinvite,
                Message::Request(request) if *request.method() == Method::Ack => Self::Ack,
                Message::Request(_) => return None,
            },
            Input::Key(_) => Self::Key,
            Input::PromptEnded { .. } => Self::PromptEnded,
            Input::QuotaAnswered { .. } => Self::QuotaAnswered,
            Input::MediaClosed(_) => Self::MediaClosed,
            Input::Taken { .. } => Self::Taken,
            Input::TimedOut => Self::TimedOut,
            Input::HangUpAsked => Self::Stopped,
            Input::Restored { .. } => Self::Restored,
            Input::TakenOver(_) => Self::TakenOver,
            Input::Stalled { .. } => Self::Stalled,
            Input::ToneKey { .. }
            | Input::Signal(_)
            | Input::MediaSilent { .. }
            | Input::PromptFailed { .. }
            | Input::Withdrawn { .. }
            | Input::PortsLost
            | Input::TrunkClosed { .. }
            | Input::TransportFailed { .. } => return None,
        })
    }
}

/// Whether this accepts an UPDATE of ours, which we send for a refresh alone. (Our re-INVITEs are seen by the phones.)
fn refreshes(response: &Response) -> bool {
    response.headers().cseq().is_ok_and(|cseq| cseq.method == Method::Update)
}

/// How often each event was met in each state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage(BTreeMap<(Phase, Event), u64>);

impl Coverage {
    pub(crate) fn note(&mut self, phase: Phase, input: &Input) {
        if let Some(event) = Event::of(input) {
            *self.0.entry((phase, event)).or_default() += 1;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (cell, count) in &other.0 {
            *self.0.entry(*cell).or_default() += count;
        }
    }

    pub(crate) fn met(&self, phase: Phase, event: Event) -> u64 {
        self.0.get(&(phase, event)).copied().unwrap_or_default()
    }

    /// The table, for people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:<22}", "");
        for event in EVENTS {
            write!(text, "{:>14}", format!("{event:?}")).expect("a string takes it");
        }
        for phase in PHASES {
            write!(text, "\n{:<22}", format!("{phase:?}")).expect("a string takes it");
            for event in EVENTS {
                write!(text, "{:>14}", self.met(phase, event)).expect("a string takes it");
            }
        }
        text
    }
}
