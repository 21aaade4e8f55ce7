//! From what was seen of the stack to the place of the copy.

use netadmin_common::ethtool::{EthtoolPlace, MAX_CHAIN, SIGHT_WORDS, Sight};

/// Where every sub-command was found that was asked for.
///
/// The return addresses are looked for from the innermost on, each at the first place
/// where it is found. So none is taken to lie further out than it does, and those that are
/// taken to lie between the program and the copy are all that do. Of several places the
/// outermost is the variable itself: functions further in only have it in a register.
pub fn find(seen: &[(u32, Sight)]) -> EthtoolPlace {
    found(seen).unwrap_or(EthtoolPlace::UNKNOWN)
}

fn found(seen: &[(u32, Sight)]) -> Option<EthtoolPlace> {
    let ((_, first), _) = seen.split_first()?;
    if seen.iter().any(|(_, sight)| sight.secret != 0) {
        return None;
    }
    let slots = slots(first, seen);
    let (_, end) = slots.last()?;
    let has_it = |half: &usize| {
        let mut all = seen.iter();
        all.all(|(sub_command, sight)| half_word(sight, *half) == *sub_command)
    };
    let half = (0..2 * end).rev().find(has_it)?;
    let below = slots.iter().take_while(|(_, word)| 2 * word < half);
    let mut place = EthtoolPlace {
        copy: u32::try_from(4 * half).ok()?,
        first: u32::try_from(8 * slots.first()?.1).ok()?,
        ..EthtoolPlace::UNKNOWN
    };
    for (address, _) in below {
        if place.len as usize == MAX_CHAIN {
            return None;
        }
        place.chain[place.len as usize] = *address;
        place.len += 1;
    }
    (place.len != 0).then_some(place)
}

/// The return addresses that all have at the same places, with those, in words.
fn slots(first: &Sight, seen: &[(u32, Sight)]) -> Vec<(u64, usize)> {
    let mut slots: Vec<(u64, usize)> = Vec::new();
    for address in first.chain.into_iter().take_while(|address| *address != 0) {
        let from = slots.last().map_or(0, |(_, word)| word + 1);
        let in_all = |word: &usize| seen.iter().all(|(_, sight)| sight.words[*word] == address);
        match (from..SIGHT_WORDS).find(in_all) {
            Some(word) => slots.push((address, word)),
            // The programs' own frames come first, and lie below.
            None if slots.is_empty() => {}
            None => break,
        }
    }
    slots
}

fn half_word(sight: &Sight, half: usize) -> u32 {
    let word = sight.words[half / 2];
    (if half & 1 == 0 { word } else { word >> 32 }) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a program, of what asks, of the function that has the copy, and of its
    /// caller.
    const OWN: u64 = 0xffff_c000;
    const ASKS: u64 = 0xffff_8100;
    const COPIES: u64 = 0xffff_8200;
    const CALLS: u64 = 0xffff_8300;

    fn sight(sub_command: u32) -> (u32, Sight) {
        let mut sight = Sight::NOTHING;
        sight.words[5] = ASKS;
        // A register that was saved.
        sight.words[6] = sub_command.into();
        sight.words[9] = COPIES;
        sight.words[11] = u64::from(sub_command) << 32 | 7;
        sight.words[14] = CALLS;
        // The caller's own registers.
        sight.words[20] = sub_command.into();
        sight.chain[..4].copy_from_slice(&[OWN, ASKS, COPIES, CALLS]);
        (sub_command, sight)
    }

    #[test]
    fn the_outermost_copy_below_a_return_address_is_it() {
        let place = find(&[sight(1), sight(2), sight(3)]);
        assert_eq!((place.copy, place.first, place.len), (92, 40, 2));
        assert_eq!(place.chain[..2], [ASKS, COPIES]);
    }

    #[test]
    fn a_place_that_not_every_sub_command_has_is_none() {
        let mut other = sight(2);
        other.1.words[11] = 0;
        let place = find(&[sight(1), other]);
        assert_eq!((place.copy, place.len), (48, 1));
        other.1.words[6] = 0;
        assert_eq!(find(&[sight(1), other]), EthtoolPlace::UNKNOWN);
    }

    #[test]
    fn what_was_not_seen_is_not_known() {
        let mut unseen = sight(2);
        unseen.1.secret = 1;
        assert_eq!(find(&[sight(1), unseen]), EthtoolPlace::UNKNOWN);
        assert_eq!(find(&[]), EthtoolPlace::UNKNOWN);
    }
}
