//! Regular expressions (a stand-in).

/// A compiled pattern.
pub struct Pattern(regex::bytes::Regex);

impl Pattern {
    pub fn compile(text: &str) -> Result<Pattern, String> {
        regex::bytes::Regex::new(text).map(Pattern).map_err(|error| error.to_string())
    }

    pub fn is_match(&self, bytes: &[u8]) -> Result<bool, String> {
        Ok(self.0.is_match(bytes))
    }
}
