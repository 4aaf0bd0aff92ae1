//! Median, mean, p99, least and most.

/// A summary of samples.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) samples: usize,
    pub(crate) median: f64,
    pub(crate) mean: f64,
    pub(crate) p99: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// Summarizes samples; `None` when there are none.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        // The least sample that 99 of 100 do not exceed.
        let rank = (sorted.len() * 99).div_ceil(100).max(1);
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Some(Self { samples: sorted.len(), median, mean, p99: sorted[rank - 1], min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_summary() {
        assert!(Summary::of([]).is_none());
    }

    #[test]
    fn one_sample_is_everything() {
        let summary = Summary::of([7.0]).expect("a sample");
        let figures = [summary.median, summary.mean, summary.p99, summary.min, summary.max];
        assert_eq!(figures, [7.0; 5]);
    }

    #[test]
    fn figures_of_a_hundred() {
        let summary = Summary::of((1..=100).rev().map(f64::from)).expect("samples");
        let figures = [summary.median, summary.mean, summary.p99, summary.min, summary.max];
        assert_eq!(figures, [50.5, 50.5, 99.0, 1.0, 100.0]);
    }
}
