//! What one call's stream says in each tick: prompts, and silence between them. Pure.
//!
//! ```text
//! tick      0    1    2    3    4    5    6
//! payload   a0   a1   b0   b1   -    -    c0     plays: [a, b], then [c]
//!                          └ PromptEnded          - silence
//! ```
//! A play is a row of clips without a gap between them. Plays follow one another in order. While a clip is
//! still being rendered the stream is silent, for [`RENDER_LIMIT_TICKS`] at most. After a restart a play may begin
//! where it was broken off.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Clip;
use super::PlayId;
use crate::rtp::g711;
use crate::sdp::Codec;

/// Plays that wait behind one another. A call asks for the next when one has ended, so that two are many.
const MAX_PLAYS: usize = 8;
/// How long a clip may take to be rendered: a callee hangs up on five seconds of silence.
pub(crate) const RENDER_LIMIT: Duration = Duration::from_secs(5);
/// The same in ticks of 20 ms.
const RENDER_LIMIT_TICKS: u32 = 250;
/// Of a play that was broken off at least this much is heard again, in frames: then its end is understood.
const LEAST_HEARD: usize = 50;

/// The plays of one stream.
#[derive(Debug)]
pub(crate) struct Playout {
    codec: Codec,
    plays: VecDeque<Play>,
}

#[derive(Debug)]
struct Play {
    id: PlayId,
    sound: Sound,
    /// Frames that were heard before.
    skip: usize,
}

#[derive(Debug)]
enum Sound {
    /// Its clips are being rendered; ticks until that is given up.
    Awaited { ticks_left: u32 },
    /// Its clips, and the next frame to send.
    Ready { clips: Vec<Arc<Clip>>, clip: usize, frame: usize },
}

/// A play that is over.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) play: PlayId,
    pub(crate) end: End,
}

/// How a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last frame has left.
    Played,
    /// Its clips did not come in time, could not be rendered, or too many plays wait: nothing was heard.
    Missing,
}

impl Playout {
    /// Silence, until something is played.
    pub(crate) fn new(codec: Codec) -> Self {
        Self { codec, plays: VecDeque::new() }
    }

    /// Goes on in another codec with the next frame.
    pub(crate) fn recode(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// Plays these clips after what plays now, without the first `skip` frames.
    pub(crate) fn play(&mut self, id: PlayId, clips: Vec<Arc<Clip>>, skip: usize) -> Option<Over> {
        self.push(id, Sound::ready(clips, skip), skip)
    }

    /// Plays what [`Playout::rendered`] will bring.
    pub(crate) fn await_clips(&mut self, id: PlayId, skip: usize) -> Option<Over> {
        self.push(id, Sound::Awaited { ticks_left: RENDER_LIMIT_TICKS }, skip)
    }

    fn push(&mut self, id: PlayId, sound: Sound, skip: usize) -> Option<Over> {
        if self.plays.len() >= MAX_PLAYS {
            return Some(Over { play: id, end: End::Missing });
        }
        self.plays.push_back(Play { id, sound, skip });
        None
    }

    /// The clips of an awaited play have come, or `None` if they could not be rendered. Of a play that was
    /// stopped or given up nothing is known any more.
    pub(crate) fn rendered(&mut self, id: PlayId, clips: Option<Vec<Arc<Clip>>>) -> Option<Over> {
        let index = self.plays.iter().position(|play| play.id == id)?;
        match clips {
            Some(clips) => {
                let play = &mut self.plays[index];
                play.sound = Sound::ready(clips, play.skip);
                None
            }
            None => {
                self.plays.remove(index);
                Some(Over { play: id, end: End::Missing })
            }
        }
    }

    /// Stops a play: none of its frames leaves any more, and it does not count as ended.
    pub(crate) fn stop(&mut self, id: PlayId) {
        self.plays.retain(|play| play.id != id);
    }

    /// What the packet of this tick carries: 20 ms of sound or silence.
    pub(crate) fn frame(&self) -> &[u8] {
        let sound = self.plays.front().map(|play| &play.sound);
        if let Some(Sound::Ready { clips, clip, frame }) = sound
            && let Some(frame) = clips.get(*clip).and_then(|clip| clip.frame(self.codec, *frame))
        {
            return frame;
        }
        match self.codec {
            Codec::Pcmu => &g711::ULAW_SILENCE_FRAME,
            Codec::Pcma => &g711::ALAW_SILENCE_FRAME,
        }
    }

    /// The packet of this tick has left: on to the next frame.
    pub(crate) fn advance(&mut self) -> Option<Over> {
        let play = self.plays.front_mut()?;
        let end = match &mut play.sound {
            Sound::Awaited { ticks_left } => {
                *ticks_left = ticks_left.saturating_sub(1);
                (*ticks_left == 0).then_some(End::Missing)
            }
            Sound::Ready { clips, clip, frame } => {
                *frame += 1;
                if clips.get(*clip).is_some_and(|clip| *frame >= clip.frames()) {
                    (*clip, *frame) = (*clip + 1, 0);
                }
                (*clip >= clips.len()).then_some(End::Played)
            }
        }?;
        let play = play.id;
        self.plays.pop_front();
        Some(Over { play, end })
    }
}

impl Sound {
    /// Clips without their first `skip` frames. Empty ones are passed over.
    fn ready(mut clips: Vec<Arc<Clip>>, skip: usize) -> Self {
        clips.retain(|clip| clip.frames() > 0);
        let all: usize = clips.iter().map(|clip| clip.frames()).sum();
        let (mut clip, mut frame) = (0, skip.min(all.saturating_sub(LEAST_HEARD)));
        while let Some(frames) = clips.get(clip).map(|clip| clip.frames())
            && frame >= frames
        {
            (clip, frame) = (clip + 1, frame - frames);
        }
        Self::Ready { clips, clip, frame }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clip whose frames are each full of one sample value.
    fn clip(values: &[i16]) -> Arc<Clip> {
        let samples: Vec<i16> = values.iter().flat_map(|&value| [value; 160]).collect();
        Arc::new(Clip::encode(&samples))
    }

    /// The next `ticks` frames, decoded, and what ended after which.
    fn heard(playout: &mut Playout, ticks: usize) -> (Vec<i16>, Vec<(usize, Over)>) {
        let mut over = Vec::new();
        let frames = (0..ticks)
            .map(|tick| {
                let octet = playout.frame()[0];
                let sample = match playout.codec {
                    Codec::Pcmu => g711::ulaw_decode(octet),
                    Codec::Pcma => g711::alaw_decode(octet),
                };
                over.extend(playout.advance().map(|told| (tick, told)));
                sample / 1_000
            })
            .collect();
        (frames, over)
    }

    fn played(play: u32) -> Over {
        Over { play: PlayId(play), end: End::Played }
    }

    const A: i16 = 8_100;
    const B: i16 = 16_300;

    #[test]
    fn utterances_follow_without_a_hole_and_the_end_is_told_with_the_last_frame() {
        let mut playout = Playout::new(Codec::Pcmu);
        assert_eq!(playout.play(PlayId(1), vec![clip(&[A, A]), clip(&[B])], 0), None);
        let (frames, over) = heard(&mut playout, 5);
        assert_eq!(frames, [8, 8, 16, 0, 0]);
        assert_eq!(over, [(2, played(1))]);
    }

    #[test]
    fn plays_follow_without_a_hole() {
        let mut playout = Playout::new(Codec::Pcma);
        assert_eq!(playout.play(PlayId(1), vec![clip(&[A])], 0), None);
        assert_eq!(playout.play(PlayId(2), vec![clip(&[B, B])], 0), None);
        let (frames, over) = heard(&mut playout, 4);
        assert!(frames[..3].iter().all(|&frame| frame != 0) && frames[3] == 0, "{frames:?}");
        assert_eq!(over, [(0, played(1)), (2, played(2))]);
    }

    #[test]
    fn a_stop_takes_effect_at_the_next_tick_and_is_no_end() {
        let mut playout = Playout::new(Codec::Pcmu);
        assert_eq!(playout.play(PlayId(1), vec![clip(&[A; 100])], 0), None);
        let (frames, _) = heard(&mut playout, 3);
        assert!(frames.iter().all(|&frame| frame != 0));
        playout.stop(PlayId(1));
        let (frames, over) = heard(&mut playout, 3);
        assert_eq!((frames, over), (vec![0, 0, 0], vec![]));
    }

    #[test]
    fn an_empty_prompt_ends_at_once() {
        let mut playout = Playout::new(Codec::Pcmu);
        assert_eq!(playout.play(PlayId(1), vec![], 0), None);
        assert_eq!(playout.play(PlayId(2), vec![clip(&[])], 0), None);
        assert_eq!(heard(&mut playout, 2), (vec![0, 0], vec![(0, played(1)), (1, played(2))]));
    }

    #[test]
    fn silence_goes_on_while_a_clip_is_rendered() {
        let mut playout = Playout::new(Codec::Pcmu);
        assert_eq!(playout.await_clips(PlayId(1), 0), None);
        assert_eq!(heard(&mut playout, 3), (vec![0; 3], vec![]));
        assert_eq!(playout.rendered(PlayId(1), Some(vec![clip(&[B])])), None);
        assert_eq!(heard(&mut playout, 2), (vec![16, 0], vec![(0, played(1))]));
    }

    #[test]
    fn a_clip_that_never_comes_is_given_up_and_one_that_failed_is_missing() {
        let missing = |play| Over { play: PlayId(play), end: End::Missing };
        let mut playout = Playout::new(Codec::Pcmu);
        assert_eq!(playout.await_clips(PlayId(1), 0), None);
        let (_, over) = heard(&mut playout, 300);
        assert_eq!(over, [(249, missing(1))]);
        assert_eq!(playout.rendered(PlayId(1), Some(vec![clip(&[A])])), None, "too late");
        assert_eq!(heard(&mut playout, 1).0, [0]);
        assert_eq!(playout.await_clips(PlayId(2), 0), None);
        assert_eq!(playout.rendered(PlayId(2), None), Some(missing(2)));
    }

    #[test]
    fn plays_are_bounded() {
        let mut playout = Playout::new(Codec::Pcmu);
        let refused = (0..20).filter(|&play| playout.await_clips(PlayId(play), 0).is_some()).count();
        assert_eq!(refused, 20 - MAX_PLAYS);
    }

    #[test]
    fn a_play_that_was_broken_off_goes_on_there_and_its_end_is_always_heard() {
        let sound = || vec![clip(&[A; 40]), clip(&[B; 60])];
        let frames = |skip| {
            let mut playout = Playout::new(Codec::Pcmu);
            assert_eq!(playout.play(PlayId(1), sound(), skip), None);
            let (frames, over) = heard(&mut playout, 101);
            let end = over[0].0 + 1;
            (frames[..end].iter().filter(|sample| **sample == 8).count(), end)
        };
        assert_eq!([frames(0), frames(30), frames(40)], [(40, 100), (10, 70), (0, 60)]);
        assert_eq!(frames(99), (0, 50), "the last second again");
        let mut awaited = Playout::new(Codec::Pcmu);
        assert_eq!(awaited.await_clips(PlayId(1), 30), None);
        assert_eq!(awaited.rendered(PlayId(1), Some(sound())), None);
        assert_eq!(heard(&mut awaited, 80).1, [(69, played(1))]);
    }
}
