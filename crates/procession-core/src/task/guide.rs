//! How many items of a map travel together, by what they have taken so far.

/// Sizes the chunks of one map.
#[derive(Debug, Default)]
pub(crate) struct Guide {
    /// Items of each chunk, if that is fixed.
    chunk_items: Option<usize>,
    /// Nanoseconds that an item takes, a running mean; `None` before the first came back.
    item_ns: Option<f64>,
}

impl Guide {
    /// A guide that has measured nothing; `chunk_items` overrides what it would say.
    pub(crate) fn new(chunk_items: Option<usize>) -> Self {
        Self { chunk_items, item_ns: None }
    }

    /// Items of each chunk, if that is fixed.
    pub(crate) fn chunk_items(&self) -> Option<usize> {
        self.chunk_items
    }

    /// Nanoseconds that an item takes, as measured; `None` before the first came back.
    pub(crate) fn item_ns(&self) -> Option<f64> {
        self.item_ns
    }

    /// Learns that `count` items took `ns` in all.
    pub(crate) fn measure(&mut self, count: u64, ns: f64) {
        if count > 0 {
            let sample = ns / count as f64;
            self.item_ns = Some(self.item_ns.map_or(sample, |known| (known * 3.0 + sample) / 4.0));
        }
    }

    /// How many items the next chunk should have: as many as fill `target_ns`, no more than an even
    /// share of half of what is `left` if that is all there will be, one until the first was measured.
    pub(crate) fn next(&self, target_ns: f64, left: Option<usize>, workers: usize) -> usize {
        if let Some(items) = self.chunk_items {
            return items.max(1);
        }
        let Some(item_ns) = self.item_ns else { return 1 };
        let by_time = (target_ns / item_ns.max(1.0)) as usize;
        let by_share = left.map_or(usize::MAX, |left| left / (2 * workers.max(1)));
        by_time.min(by_share).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_with_the_measured_speed_and_shrink_towards_the_end() {
        let mut guide = Guide::new(None);
        assert_eq!(guide.next(1_000.0, None, 2), 1, "nothing is known");
        guide.measure(10, 100.0);
        assert_eq!(guide.next(1_000.0, None, 2), 100);
        assert_eq!(guide.next(1_000.0, Some(40), 2), 10);
        assert_eq!(guide.next(1_000.0, Some(1), 2), 1);
        guide.measure(0, 1e9);
        assert_eq!(guide.item_ns(), Some(10.0), "nothing tells nothing");
    }

    #[test]
    fn a_fixed_size_is_kept() {
        let mut guide = Guide::new(Some(7));
        guide.measure(1, 1.0);
        assert_eq!(guide.next(1_000.0, Some(2), 2), 7);
    }
}
