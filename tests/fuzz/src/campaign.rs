//! A target's corpus, then mutations of it, until the budget is used up or something is found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::minimise::minimise;
use crate::mutate::mutate;
use crate::random::Random;
use crate::recorder::Recorder;
use crate::run::{Finding, MEMORY_LIMIT_KIB, forget_peak, peak_kib, run};
use crate::targets::Target;

/// Inputs in the pool at most; later ones take the place of one there.
const MAX_POOL: usize = 4_096;
/// Inputs between two looks at the memory.
const BATCH: usize = 64;

/// How long a campaign runs.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// This many mutations.
    Cases(usize),
    /// This long.
    Time(Duration),
}

/// What a campaign did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Corpus files.
    pub corpus: usize,
    /// Mutations that were run.
    pub cases: usize,
    /// How many different ways of behaving were seen.
    pub behaviours: usize,
}

struct Campaign<'a> {
    target: &'a Target,
    recorder: &'a Recorder,
    pool: Vec<Vec<u8>>,
    seen: BTreeSet<u64>,
    random: Random,
    /// Those since the last look at the memory.
    batch: Vec<Vec<u8>>,
    base_kib: u64,
}

/// Runs `target` on its corpus and on mutations of it. The same seed and number of cases give the
/// same inputs.
///
/// # Errors
/// The first input that failed, made small.
pub fn campaign(
    target: &Target,
    seed: u64,
    budget: Budget,
    recorder: &Recorder,
) -> Result<Report, Box<Finding>> {
    let corpus = corpus(target.name);
    assert!(!corpus.is_empty(), "tests/fuzz/corpus/{} is empty", target.name);
    forget_peak();
    let mut campaign = Campaign {
        target,
        recorder,
        pool: Vec::new(),
        seen: BTreeSet::new(),
        random: Random::new(seed),
        batch: Vec::new(),
        base_kib: peak_kib(),
    };
    for input in &corpus {
        campaign.case(input.clone())?;
    }
    // Also those that behave alike: mutations of them need not.
    campaign.pool.clone_from(&corpus);
    let mut cases = 0;
    let begin = now();
    while match budget {
        Budget::Cases(limit) => cases < limit,
        Budget::Time(limit) => begin.elapsed() < limit,
    } {
        let input = campaign.next_input();
        campaign.case(input)?;
        cases += 1;
    }
    campaign.look_at_memory()?;
    Ok(Report { corpus: corpus.len(), cases, behaviours: campaign.seen.len() })
}

impl Campaign<'_> {
    fn next_input(&mut self) -> Vec<u8> {
        let one = self.random.below(self.pool.len());
        let other = self.random.below(self.pool.len());
        let (one, other) = (&self.pool[one], &self.pool[other]);
        let mut input = mutate(&mut self.random, one, other, self.target.dictionary);
        if let Some(repair) = self.target.repair
            && !self.random.one_in(4)
        {
            repair(&mut input);
        }
        input
    }

    fn case(&mut self, input: Vec<u8>) -> Result<(), Box<Finding>> {
        self.recorder.record(&input);
        let behaviour = match run(self.target, &input) {
            Ok(behaviour) => behaviour,
            Err(what) => return Err(self.finding(&input, what)),
        };
        if self.seen.insert(behaviour) {
            if self.pool.len() < MAX_POOL {
                self.pool.push(input.clone());
            } else {
                let place = self.random.below(MAX_POOL);
                self.pool[place].clone_from(&input);
            }
        }
        self.batch.push(input);
        if self.batch.len() >= BATCH { self.look_at_memory() } else { Ok(()) }
    }

    /// Looks which input made the process grow, if one did.
    fn look_at_memory(&mut self) -> Result<(), Box<Finding>> {
        let grown = peak_kib() > self.base_kib + MEMORY_LIMIT_KIB;
        for input in std::mem::take(&mut self.batch) {
            if grown && grows(self.target, &input) {
                let what = format!("grew the process by more than {MEMORY_LIMIT_KIB} KiB");
                let input = minimise(&input, |input| grows(self.target, input));
                return Err(Box::new(Finding { target: self.target.name, what, input }));
            }
        }
        if grown {
            forget_peak();
            self.base_kib = peak_kib();
        }
        Ok(())
    }

    fn finding(&self, input: &[u8], what: String) -> Box<Finding> {
        let input = minimise(input, |input| {
            self.recorder.record(input);
            run(self.target, input).is_err()
        });
        // Not what the longer one did: the smaller input is what is looked at.
        let what = run(self.target, &input).err().unwrap_or(what);
        Box::new(Finding { target: self.target.name, what, input })
    }
}

fn grows(target: &Target, input: &[u8]) -> bool {
    forget_peak();
    let before = peak_kib();
    let _behaviour = run(target, input);
    peak_kib() > before + MEMORY_LIMIT_KIB
}

/// The files of a target's corpus, by name.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("read a corpus file")).collect()
}

#[expect(clippy::disallowed_methods, reason = "a budget of real time")]
fn now() -> Instant {
    Instant::now()
}
