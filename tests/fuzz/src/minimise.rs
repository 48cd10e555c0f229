//! Makes a failing input small.

/// Runs at most.
const MAX_RUNS: usize = 3_000;

/// A shorter input that `fails` just as well: pieces are left out, then bytes made plain.
pub(crate) fn minimise(input: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut runs = 0;
    let mut piece = best.len().next_power_of_two();
    while piece > 0 && runs < MAX_RUNS {
        let mut at = 0;
        while at < best.len() && runs < MAX_RUNS {
            let end = (at + piece).min(best.len());
            let mut shorter = best.clone();
            drop(shorter.drain(at..end));
            runs += 1;
            if fails(&shorter) {
                best = shorter;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    for at in 0..best.len() {
        let mut plainer = best.clone();
        plainer[at] = b'a';
        runs += 1;
        if runs < MAX_RUNS && plainer != best && fails(&plainer) {
            best = plainer;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makes_it_fail_is_kept() {
        let fails = |input: &[u8]| input.windows(2).any(|pair| pair == b"!?") && input.len() > 3;
        assert_eq!(minimise(b"a long text with !? in it", fails).len(), 4);
    }
}
