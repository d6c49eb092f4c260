//! What the ear makes of packets.

use super::*;
use crate::id::Mint;

const QUIET: [u8; FRAME_BYTES] = g711::ULAW_SILENCE_FRAME;

fn label(item: &str) -> Label {
    Label { item: item.to_owned(), language: "en".to_owned(), asks: true, ..Label::default() }
}

/// Loud noise with some silence at the start, in the middle and at the end, as speech has.
fn speech(seed: u64, frames: usize) -> Vec<u8> {
    let mut mint = Mint::seeded(seed);
    let mut sound = Vec::new();
    for frame in 0..frames {
        let silent = frame < 2 || frame == frames / 2 || frame + 1 == frames;
        for _ in 0..FRAME_BYTES {
            let [noise, _] = mint.number16().to_be_bytes();
            sound.push(if silent { 0xFF } else { noise });
        }
    }
    sound
}

fn index(clips: &[(&str, &[u8])]) -> Arc<Index> {
    let mut index = Index::default();
    for (item, sound) in clips {
        let alaw: Vec<u8> = sound.iter().map(|octet| g711::alaw_encode(g711::ulaw_decode(*octet))).collect();
        index.add(label(item), sound, &alaw);
    }
    Arc::new(index)
}

/// Plays frames from tick 0 on and returns what was heard, with times in ms.
fn heard(ear: &mut Ear, played: &[&[u8]]) -> Vec<(u64, Sound)> {
    let frames = played.iter().flat_map(|part| part.chunks(FRAME_BYTES));
    for (tick, frame) in (0_u32..).zip(frames) {
        ear.hear(Timestamp::EPOCH + FRAME * tick, frame);
    }
    std::iter::from_fn(|| ear.poll_sound()).map(|(at, sound)| (at.as_millis(), sound)).collect()
}

fn quiet(frames: usize) -> Vec<u8> {
    QUIET.repeat(frames)
}

#[test]
fn names_the_prompt_its_start_and_its_end() {
    let (hello, consent) = (speech(1, 20), speech(2, 10));
    let index = index(&[("hello", &hello), ("consent", &consent)]);
    let mut ear = Ear::new(index, Codec::Pcmu, Duration::from_millis(200));
    let heard = heard(&mut ear, &[&quiet(5), &hello, &consent, &quiet(12)]);
    let (hello, consent) = (ClipId(0), ClipId(1));
    // The first two frames of each are silence, so the third names it.
    assert_eq!(heard[0], (140, Sound::Began { clip: hello, frame: 2 }));
    assert_eq!(heard[1], (500, Sound::Ended { clip: hello, frame: 20, whole: true }));
    assert_eq!(heard[2], (540, Sound::Began { clip: consent, frame: 2 }));
    assert_eq!(heard[3], (700, Sound::Ended { clip: consent, frame: 10, whole: true }));
    assert_eq!(heard[4], (880, Sound::Quiet { nth: 1 }));
    assert_eq!(heard.len(), 5);
}

#[test]
fn knows_the_same_prompt_in_a_law() {
    let hello = speech(1, 20);
    let alaw: Vec<u8> = hello.iter().map(|octet| g711::alaw_encode(g711::ulaw_decode(*octet))).collect();
    let mut ear = Ear::new(index(&[("hello", &hello)]), Codec::Pcma, Duration::from_secs(1));
    let heard = heard(&mut ear, &[&alaw]);
    assert_eq!(heard.last(), Some(&(400, Sound::Ended { clip: ClipId(0), frame: 20, whole: true })));
}

#[test]
fn a_prompt_cut_short_by_a_key_ends_where_it_stopped() {
    let hello = speech(1, 20);
    let mut ear = Ear::new(index(&[("hello", &hello)]), Codec::Pcmu, Duration::from_millis(100));
    let heard = heard(&mut ear, &[&hello[..7 * FRAME_BYTES], &quiet(20)]);
    assert_eq!(heard[1], (140, Sound::Ended { clip: ClipId(0), frame: 7, whole: false }));
    assert!(matches!(heard[2], (_, Sound::Quiet { nth: 1 })));
}

#[test]
fn a_lost_frame_and_a_resume_are_jumps_in_the_same_prompt() {
    let hello = speech(1, 20);
    let part = |from: usize, to: usize| &hello[from * FRAME_BYTES..to * FRAME_BYTES];
    let mut ear = Ear::new(index(&[("hello", &hello)]), Codec::Pcmu, Duration::from_secs(1));
    let heard = heard(&mut ear, &[part(0, 5), part(6, 9), part(3, 20)]);
    let clip = ClipId(0);
    assert_eq!(heard[1], (100, Sound::Jumped { clip, expected: 5, frame: 6 }));
    assert_eq!(heard[2], (160, Sound::Jumped { clip, expected: 9, frame: 3 }));
    assert_eq!(heard.last().unwrap().1, Sound::Ended { clip, frame: 20, whole: true });
}

#[test]
fn prompts_that_begin_alike_are_told_apart_when_they_part() {
    let (one, tail) = (speech(1, 12), speech(9, 12));
    let mut two = one[..5 * FRAME_BYTES].to_vec();
    two.extend(&tail[5 * FRAME_BYTES..]);
    let mut ear = Ear::new(index(&[("one", &one), ("two", &two)]), Codec::Pcmu, Duration::from_secs(1));
    let heard = heard(&mut ear, &[&two]);
    assert_eq!(heard[0], (40, Sound::Began { clip: ClipId(1), frame: 2 }), "the time of its first frame");
    assert_eq!(heard[1].1, Sound::Ended { clip: ClipId(1), frame: 12, whole: true });
}

/// A frame that is nobody's own would be talk that nobody knows.
#[test]
fn dozens_of_offers_that_begin_alike_are_no_strange_talk() {
    let (start, clips) = (speech(1, 6), (0..60).map(|n| [speech(1, 6), speech(100 + n, 6)].concat()));
    let clips: Vec<Vec<u8>> = clips.collect();
    let named: Vec<(&str, &[u8])> = clips.iter().map(|clip| ("offer", clip.as_slice())).collect();
    let mut ear = Ear::new(index(&named), Codec::Pcmu, Duration::from_millis(200));
    let heard = heard(&mut ear, &[&clips[7], &quiet(2), &start, &clips[9][start.len()..]]);
    let began = |number: u32| Sound::Began { clip: ClipId(number), frame: 2 };
    assert_eq!((heard[0], heard[2].1), ((40, began(7)), began(9)));
    assert!(heard.iter().all(|(_, sound)| *sound != Sound::Talk), "{heard:?}");
}

#[test]
fn one_sound_in_two_places_keeps_both_names() {
    let (sorry, mut index) = (speech(3, 8), Index::default());
    let first = index.add(label("age"), &sorry, &sorry);
    assert_eq!(index.add(label("sex"), &sorry, &sorry), first);
    assert_eq!(index.labels(first).count(), 2);
}

#[test]
fn what_one_alone_knows_lies_over_what_all_know() {
    let (hello, name, other) = (speech(1, 20), speech(2, 12), speech(3, 12));
    let base = index(&[("hello", &hello)]);
    let mut own = Index::over(Arc::clone(&base));
    let (name_clip, again) = (own.add(label("name"), &name, &name), own.add(label("here"), &hello, &hello));
    assert_eq!((name_clip, again), (ClipId(1), ClipId(0)));
    let names: Vec<&str> = own.labels(again).map(|label| label.item.as_str()).collect();
    assert_eq!(names, ["hello", "here"]);
    assert_eq!(base.labels(again).count(), 1, "the others do not know it");
    let mut ear = Ear::new(Arc::new(own), Codec::Pcmu, Duration::from_millis(200));
    let heard = heard(&mut ear, &[&hello, &name, &other, &quiet(12)]);
    let sounds: Vec<Sound> = heard.into_iter().map(|(_, sound)| sound).collect();
    assert_eq!(sounds[0], Sound::Began { clip: again, frame: 2 });
    assert_eq!(sounds[2], Sound::Began { clip: name_clip, frame: 2 });
    assert_eq!(sounds[3], Sound::Ended { clip: name_clip, frame: 12, whole: true });
}

#[test]
fn without_prompts_it_hears_talk_and_silences() {
    let talk = speech(5, 30);
    let mut ear = Ear::new(Arc::default(), Codec::Pcmu, Duration::from_millis(300));
    let played: [&[u8]; 5] = [&quiet(30), &talk, &quiet(40), &talk, &quiet(40)];
    let heard: Vec<_> = heard(&mut ear, &played).into_iter().map(|(_, sound)| sound).collect();
    let expected = [Sound::Talk, Sound::Quiet { nth: 1 }, Sound::Talk, Sound::Quiet { nth: 2 }];
    assert_eq!(heard, expected);
}
