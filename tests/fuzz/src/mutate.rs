//! Small changes to an input.

use crate::random::Random;

/// No mutation makes an input longer than this; corpus files may be longer.
const MAX_BYTES: usize = 64 * 1024;
/// Texts at which numbers tend to break.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "-0",
    "1e999",
    "1.5",
    "127",
    "65536",
    "2147483648",
    "4294967295",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
];
/// Characters at which texts tend to break: wide ones, ones that combine, halves and marks.
const CHARACTERS: [&[u8]; 9] = [
    "é".as_bytes(),
    "ß".as_bytes(),
    "\u{202e}".as_bytes(),
    "😀".as_bytes(),
    "\u{feff}".as_bytes(),
    b"\0",
    b"\xff",
    b"\xc3",
    b"\\ud800",
];

/// One to four changes of `input`; pieces of `other` may come into it.
pub(crate) fn mutate(
    random: &mut Random,
    input: &[u8],
    other: &[u8],
    dictionary: &[&str],
) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        change(random, &mut bytes, other, dictionary);
    }
    bytes.truncate(MAX_BYTES.max(input.len()));
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], dictionary: &[&str]) {
    let length = bytes.len();
    let at = random.below(length + 1);
    let end = (at + random.small(length)).min(length);
    match random.below(12) {
        0 if at < length => bytes[at] ^= 1 << random.below(8),
        1 if at < length => bytes[at] = random.byte(),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let piece = bytes[at..end].to_vec();
            let place = random.below(length + 1);
            insert(bytes, place, &piece);
        }
        4 => {
            // Nesting is what recursion fears.
            let piece = bytes[at..(at + random.below(3) + 1).min(length)].to_vec();
            let times = 1 + random.small(2000);
            insert(bytes, at, &piece.repeat(times));
        }
        5 => {
            let from = random.below(other.len() + 1);
            let to = (from + random.small(other.len())).min(other.len());
            insert(bytes, at, &other[from..to]);
        }
        6 => {
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        7 => insert(bytes, at, NUMBERS[random.below(NUMBERS.len())].as_bytes()),
        8 => insert(bytes, at, CHARACTERS[random.below(CHARACTERS.len())]),
        9 => bytes.truncate(at),
        _ if !dictionary.is_empty() => {
            let word = dictionary[random.below(dictionary.len())].as_bytes();
            if random.one_in(3) {
                drop(bytes.drain(at..end));
            }
            insert(bytes, at.min(bytes.len()), word);
        }
        _ => insert(bytes, at, &[random.byte()]),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(bytes.splice(at..at, piece.iter().copied()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_others_make_others() {
        let inputs = |seed| {
            let mut random = Random::new(seed);
            let all = (0..200).map(|_| mutate(&mut random, b"{\"a\": [1]}", b"other", &["word"]));
            all.collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        let longest = inputs(3).iter().map(Vec::len).max();
        assert!(longest.is_some_and(|bytes| bytes > 100 && bytes <= MAX_BYTES), "{longest:?}");
    }
}
