//! Contenders take turns in short slices of CPU time, so that what disturbs the machine disturbs all of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time that this thread has used.
pub fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many slices each contender has.
    pub rounds: usize,
    /// How much CPU time a slice takes at least.
    pub slice: Duration,
}

impl Effort {
    /// For figures that are to be published, or a first look with `quick`.
    pub const fn new(quick: bool) -> Self {
        if quick {
            Self { rounds: 5, slice: Duration::from_millis(2) }
        } else {
            Self { rounds: 15, slice: Duration::from_millis(5) }
        }
    }
}

/// The cost of one unit of work in nanoseconds of CPU time, slice by slice.
#[derive(Clone, Debug)]
pub struct Costs(Vec<f64>);

impl Costs {
    /// Costs that were measured in some other way, one a round.
    pub fn from_rounds(costs: Vec<f64>) -> Self {
        Self(costs)
    }

    /// The median of the rounds.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// What this costs more than `other`, round by round.
    pub fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| own - other).collect())
    }

    /// How many times cheaper this is than `other`: the median of the rounds' ratios, above 1 if it is cheaper.
    pub fn times_cheaper_than(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(own, other)| other / own).collect())
    }
}

/// The median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => (values[len / 2 - 1] + values[len / 2]) / 2.0,
    }
}

/// A contender's work: does so many units of it.
pub type Work<'w> = Box<dyn FnMut(usize) + 'w>;

/// Runs all of it in turns. Units are done in multiples of `step`.
pub fn interleave(effort: Effort, step: usize, works: &mut [Work<'_>]) -> Vec<Costs> {
    let units: Vec<usize> = works.iter_mut().map(|work| calibrate(effort.slice, step, work)).collect();
    let mut costs = vec![Vec::with_capacity(effort.rounds); works.len()];
    for round in 0..effort.rounds {
        // Nobody always comes behind the same other.
        for turn in 0..works.len() {
            let index = (turn + round) % works.len();
            let before = thread_cpu();
            works[index](units[index]);
            let used = thread_cpu() - before;
            costs[index].push(used.as_nanos() as f64 / units[index] as f64);
        }
    }
    costs.into_iter().map(Costs).collect()
}

/// How many units fill a slice; warms up on the way.
fn calibrate(slice: Duration, step: usize, work: &mut Work<'_>) -> usize {
    let mut units = step;
    loop {
        let before = thread_cpu();
        work(units);
        let used = thread_cpu() - before;
        if used * 2 >= slice {
            let needed = units as f64 * slice.as_secs_f64() / used.as_secs_f64();
            return (needed as usize).div_ceil(step).max(1) * step;
        }
        let factor = slice.as_secs_f64() / used.as_secs_f64().max(1e-9);
        units = ((units as f64 * factor.clamp(2.0, 100.0)) as usize).div_ceil(step) * step;
    }
}
