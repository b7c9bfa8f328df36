//! Sets of bytes: what one position of a pattern may be.

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ByteSet([u128; 2]);

impl ByteSet {
    pub(super) const NONE: ByteSet = ByteSet([0; 2]);
    pub(super) const ALL: ByteSet = ByteSet([u128::MAX; 2]);

    pub(super) const fn of(byte: u8) -> ByteSet {
        ByteSet::NONE.and_range(byte, byte)
    }

    /// Those of `bytes`.
    pub(super) const fn any_of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::NONE;
        let mut at = 0;
        while at < bytes.len() {
            set = set.and_range(bytes[at], bytes[at]);
            at += 1;
        }
        set
    }

    /// With `first` to `last` added, both included; unchanged when reversed.
    pub(super) const fn and_range(mut self, first: u8, last: u8) -> ByteSet {
        let mut byte = first as usize;
        while byte <= last as usize {
            self.0[byte >> 7] |= 1 << (byte & 127);
            byte += 1;
        }
        self
    }

    pub(super) const fn or(self, other: ByteSet) -> ByteSet {
        ByteSet([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    pub(super) const fn not(self) -> ByteSet {
        ByteSet([!self.0[0], !self.0[1]])
    }

    pub(super) const fn contains(self, byte: u8) -> bool {
        self.0[byte as usize >> 7] >> (byte & 127) & 1 == 1
    }

    /// With the other case of every ASCII letter in it.
    pub(super) fn fold(self) -> ByteSet {
        (b'a'..=b'z').fold(self, |set, lower| {
            let upper = lower.to_ascii_uppercase();
            match self.contains(lower) || self.contains(upper) {
                true => set.or(ByteSet::any_of(&[lower, upper])),
                false => set,
            }
        })
    }

    /// The only member, if there is only one.
    pub(super) fn single(self) -> Option<u8> {
        let count = self.0[0].count_ones() + self.0[1].count_ones();
        (count == 1).then(|| (0..=255).find(|&b| self.contains(b)).unwrap_or_default())
    }

    /// The members as runs of neighbours, ascending.
    pub(super) fn runs(self) -> Vec<(u8, u8)> {
        let mut runs: Vec<(u8, u8)> = Vec::new();
        for byte in (0..=255).filter(|&b| self.contains(b)) {
            match runs.last_mut() {
                Some((_, last)) if u16::from(*last) + 1 == u16::from(byte) => *last = byte,
                _ => runs.push((byte, byte)),
            }
        }
        runs
    }
}

/// `\d`.
pub(super) const DIGIT: ByteSet = ByteSet::NONE.and_range(b'0', b'9');
/// `\w`. On bytes Perl's letters are ASCII's.
pub(super) const WORD: ByteSet = ALNUM.or(ByteSet::of(b'_'));
/// `\s`: blank, TAB, LF, VT, FF, CR.
pub(super) const SPACE: ByteSet = ByteSet::of(b' ').and_range(b'\t', b'\r');
/// `\h`. Perl counts the no-break space, A0, even where nothing else beyond ASCII has a meaning.
pub(super) const HORIZONTAL: ByteSet = ByteSet::any_of(b" \t\xA0");
/// `\v`. Likewise with the next-line control, 85.
pub(super) const VERTICAL: ByteSet = ByteSet::of(0x85).and_range(b'\n', b'\r');
/// `.` and `\N`.
pub(super) const NOT_NEWLINE: ByteSet = ByteSet::of(b'\n').not();

const LOWER: ByteSet = ByteSet::NONE.and_range(b'a', b'z');
const UPPER: ByteSet = ByteSet::NONE.and_range(b'A', b'Z');
const ALPHA: ByteSet = LOWER.or(UPPER);
const ALNUM: ByteSet = ALPHA.or(DIGIT);
const GRAPH: ByteSet = ByteSet::NONE.and_range(b'!', b'~');

/// The set of a POSIX class such as `alpha`.
pub(super) fn posix(name: &[u8]) -> Option<ByteSet> {
    Some(match name {
        b"alpha" => ALPHA,
        b"digit" => DIGIT,
        b"alnum" => ALNUM,
        b"upper" => UPPER,
        b"lower" => LOWER,
        b"word" => WORD,
        b"space" => SPACE,
        b"blank" => ByteSet::any_of(b" \t"),
        b"cntrl" => ByteSet::of(0x7F).and_range(0, 0x1F),
        b"graph" => GRAPH,
        b"print" => GRAPH.or(ByteSet::of(b' ')),
        b"punct" => GRAPH.not().or(ALNUM).not(),
        b"xdigit" => DIGIT.and_range(b'a', b'f').and_range(b'A', b'F'),
        b"ascii" => ByteSet::NONE.and_range(0, 0x7F),
        _ => return None,
    })
}
