//! Words against Perl's Text::ParseWords.

use directord::config::watch::words;

use crate::oracle::{Random, ask, question};

#[test]
fn lines_are_cut_into_the_words_perl_makes_of_them() {
    let mut random = Random(0xfeed_f00d_dead_beef);
    let pieces = ["a", "b c", " ", "\t", "\"", "'", "\\", "\\\"", "é", "$X", "  ", "-S", "\"x y\""];
    let lines: Vec<String> = (0..4000)
        .map(|_| (0..random.below(9)).map(|_| random.pick(&pieces)).collect::<String>())
        .map(|line| line.trim().to_owned())
        .collect();
    let questions: Vec<String> = lines.iter().map(|line| question("words", &[line])).collect();
    let Some(answers) = ask("/usr/bin/perl", &questions) else { return };
    let mut dropped = 0;
    for (line, answer) in lines.iter().zip(answers) {
        let ours = words(line).unwrap_or_default();
        dropped += usize::from(ours.is_empty());
        let shown = format!("{}\0{}", ours.len(), ours.join("\0"));
        assert_eq!(shown, String::from_utf8(answer).unwrap(), "{line:?}");
    }
    assert!((500..3500).contains(&dropped), "{dropped}");
}
