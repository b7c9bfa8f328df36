//! Match what a server sent against `receive`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::evidence;
use super::miss::{Miss, Phase, Progress};
use crate::mutex::lock;
use crate::pattern::Pattern;

/// Compiled patterns kept. A site has few; compiling one costs as much as a hundred probes'
/// matching, and keeping one about 25 kB.
const KEPT: usize = 1024;

/// Larger bodies are searched on a thread that may block, so that other probes are not held up.
/// So is every body by a pattern that backtracks, for which a few bytes may be a long search.
const INLINE_BYTES: usize = 16 * 1024;

/// Compiled patterns by their text.
#[derive(Default)]
pub(super) struct Patterns(Mutex<HashMap<String, Arc<Pattern>>>);

impl Patterns {
    /// Whether `pattern` occurs in `body`, of which no more than `limit` bytes were read.
    pub async fn require(
        &self,
        pattern: &str,
        body: Vec<u8>,
        limit: usize,
        progress: &Progress,
    ) -> Result<(), Miss> {
        match self.search(pattern, vec![body], progress).await? {
            (true, _) => Ok(()),
            (false, mut texts) => {
                let body = texts.pop().unwrap_or_default();
                Err(Miss::Fail(not_found(pattern, &body, limit)))
            }
        }
    }

    /// Whether `pattern` occurs in one of `texts`, each of which is a whole of its own.
    pub async fn require_one(
        &self,
        pattern: &str,
        texts: Vec<String>,
        progress: &Progress,
    ) -> Result<(), Miss> {
        let texts = texts.into_iter().map(String::into_bytes).collect();
        match self.search(pattern, texts, progress).await? {
            (true, _) => Ok(()),
            (false, texts) => {
                let shown = evidence::excerpt(&texts.join(&b", "[..]));
                Err(Miss::Fail(format!("receive: {} not found in {shown}", slashed(pattern))))
            }
        }
    }

    /// Whether `pattern` occurs in one of `texts`, and the texts back.
    pub async fn search(
        &self,
        pattern: &str,
        texts: Vec<Vec<u8>>,
        progress: &Progress,
    ) -> Result<(bool, Vec<Vec<u8>>), Miss> {
        progress.enter(Phase::Receive);
        let compiled = self.compiled(pattern)?;
        let length: usize = texts.iter().map(Vec::len).sum();
        let inline = length <= INLINE_BYTES && compiled.is_linear();
        let search = move || {
            let mut found = Ok(false);
            for text in &texts {
                found = compiled.is_match(text);
                if !matches!(found, Ok(false)) {
                    break;
                }
            }
            (found, texts)
        };
        let (found, texts) = match inline {
            true => search(),
            false => tokio::task::spawn_blocking(search)
                .await
                .map_err(|_| Miss::Local("receive: the search was broken off".into()))?,
        };
        let found =
            found.map_err(|why| Miss::Fail(format!("receive: {}: {why}", slashed(pattern))))?;
        Ok((found, texts))
    }

    fn compiled(&self, text: &str) -> Result<Arc<Pattern>, Miss> {
        let mut kept = lock(&self.0);
        if let Some(known) = kept.get(text) {
            return Ok(known.clone());
        }
        let fresh = Pattern::compile(text)
            .map_err(|why| Miss::Fail(format!("receive: {}: {why}", slashed(text))))?;
        // Which one goes does not matter, only that one goes: with more patterns than places
        // and every one due once a round, the longest unused is the next to be asked for.
        if kept.len() >= KEPT {
            let victim = kept.keys().next().cloned();
            victim.and_then(|victim| kept.remove(&victim));
        }
        let fresh = Arc::new(fresh);
        kept.insert(text.to_owned(), fresh.clone());
        Ok(fresh)
    }
}

/// What is said of a body of which no more than `limit` bytes were read.
pub(super) fn not_found(pattern: &str, body: &[u8], limit: usize) -> String {
    let pattern = slashed(pattern);
    match body.len() {
        0 => format!("receive: {pattern} not found: the body is empty"),
        length => {
            let first = if length >= limit { "first " } else { "" };
            let bytes = if length == 1 { "byte" } else { "bytes" };
            let shown = evidence::excerpt(body);
            format!("receive: {pattern} not found in the {first}{length} {bytes}: {shown}")
        }
    }
}

/// `/test page/`, shortened and on one line.
fn slashed(pattern: &str) -> String {
    format!("/{}/", evidence::text(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn verdict(pattern: &str, body: &[u8], limit: usize) -> Result<(), Miss> {
        let patterns = Patterns::default();
        patterns.require(pattern, body.to_vec(), limit, &Progress::default()).await
    }

    #[tokio::test]
    async fn a_body_without_the_pattern_is_quoted() {
        assert_eq!(verdict("test page", b"the test page.", 100).await, Ok(()));
        let said = verdict("test page", b"<html>\n", 7).await;
        let reason = r#"receive: /test page/ not found in the first 7 bytes: "<html>\n""#;
        assert_eq!(said, Err(Miss::Fail(reason.into())));
        let said = verdict("x", b"", 7).await;
        assert_eq!(said, Err(Miss::Fail("receive: /x/ not found: the body is empty".into())));
    }

    #[tokio::test]
    async fn one_of_several_texts_is_enough_and_each_is_a_whole() {
        let verdict = async |pattern: &str| {
            let texts = vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()];
            Patterns::default().require_one(pattern, texts, &Progress::default()).await
        };
        assert_eq!(verdict("^192.0.2.1$").await, Ok(()));
        assert_eq!(verdict("^2001:db8::1$").await, Ok(()));
        let reason = r#"receive: /1, 2/ not found in "192.0.2.1, 2001:db8::1""#;
        assert_eq!(verdict("1, 2").await, Err(Miss::Fail(reason.into())));
    }

    #[tokio::test]
    async fn a_large_body_is_searched_to_its_end() {
        let mut body = vec![b'.'; 1 << 20];
        assert!(verdict("needle", &body, 1 << 20).await.is_err());
        body.extend(b"needle");
        assert_eq!(verdict("needle", &body, 1 << 21).await, Ok(()));
    }

    #[test]
    fn no_more_patterns_are_kept_than_there_are_places() {
        let patterns = Patterns::default();
        for n in 0..KEPT + 10 {
            assert!(patterns.compiled(&n.to_string()).is_ok());
        }
        assert_eq!(patterns.0.lock().unwrap().len(), KEPT);
    }
}
