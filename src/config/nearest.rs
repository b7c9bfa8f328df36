//! The word that somebody meant who mistyped it.

/// The known word that a slip of the fingers would turn into `given`, if there is one: at most
/// a third of the letters are wrong.
pub(super) fn nearest<'w>(given: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // The distance costs the product of the lengths.
    const LONGEST: usize = 40;
    let given: Vec<char> = given.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    if given.len() > LONGEST {
        return None;
    }
    let most = (given.len() / 3).max(1);
    known
        // They are that far apart at least.
        .filter(|word| word.len().abs_diff(given.len()) <= most)
        .map(|word| (distance(&given, word), word))
        .filter(|(distance, word)| *distance <= most && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions, replacements and swaps of neighbours from one word to the other;
/// `-` and `_` count as the same.
fn distance(from: &[char], to: &str) -> usize {
    let plain = |c: char| if c == '-' { '_' } else { c };
    let from: Vec<char> = from.iter().copied().map(plain).collect();
    let to: Vec<char> = to.chars().map(plain).collect();
    let mut before = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_by_its_slips_and_not_by_its_length() {
        let meant = |given| nearest(given, ["virtual", "real", "fall_back", "sh"].into_iter());
        for (given, word) in [
            ("virtaul", "virtual"),
            ("VIRTUAL", "virtual"),
            ("rael", "real"),
            ("fall-back", "fall_back"),
            ("fallbck", "fall_back"),
        ] {
            assert_eq!(meant(given), Some(word), "{given}");
        }
        // Of a word of two letters half is no slip's work.
        for given in ["", "xyzzy", "rr", "vrtl", &"real".repeat(100_000)] {
            assert_eq!(meant(given), None, "{given:.20}");
        }
    }
}
