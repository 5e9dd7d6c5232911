//! What was asked for on the command line?

use std::time::Duration;

pub const HELP: &str = "\
Usage: cargo xtask soak [--release] [--minutes N] [--seed S] [--rate J] [--scenario broker-away]

  --minutes N    how long there are load and faults; 10 unless said otherwise
  --seconds N    the same in seconds
  --seed S       what the faults and the jobs are drawn by; 1 unless said otherwise. The same seed and length draw the same
  --rate J       jobs submitted a second; 30 unless said otherwise
  --bites N      how often each fault must be felt; 3 unless said otherwise
  --scenario broker-away
                 no drawn faults: the broker is away for five minutes (or `--seconds`) under load

Ends with 0: nothing lost, doubled, stuck or strange, and every fault was felt. With 1: something was. With 3: all is well, but not every
fault was felt often enough. With 2: it could not be tried. With 130: it was interrupted.";

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    pub lasts: Duration,
    pub seed: u64,
    pub jobs_per_sec: f64,
    pub bites: usize,
    pub scenario: Scenario,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Faults by chance.
    Drawn,
    BrokerAway,
}

const MINUTES: Duration = Duration::from_secs(600);
const AWAY: Duration = Duration::from_secs(300);

impl Options {
    /// # Errors
    /// A sentence, when they are not understood.
    pub fn read(arguments: &[String]) -> Result<Self, String> {
        let mut lasts = None;
        let mut options = Self { lasts: MINUTES, seed: 1, jobs_per_sec: 30.0, bites: 3, scenario: Scenario::Drawn };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("`{name} {value}` is no number"));
            match name.as_str() {
                "--minutes" => lasts = Some(Duration::from_secs(number()? * 60)),
                "--seconds" => lasts = Some(Duration::from_secs(number()?)),
                "--seed" => options.seed = number()?,
                "--rate" => options.jobs_per_sec = f64::from(u32::try_from(number()?.max(1)).map_err(|_| "too many jobs".to_owned())?),
                "--bites" => options.bites = usize::try_from(number()?).map_err(|_| "too many bites".to_owned())?,
                "--scenario" if value == "broker-away" => options.scenario = Scenario::BrokerAway,
                "--scenario" => return Err(format!("there is no scenario `{value}`; there is `broker-away`")),
                _ => return Err(format!("there is no option `{name}`")),
            }
        }
        options.lasts = lasts.unwrap_or(if options.scenario == Scenario::BrokerAway { AWAY } else { MINUTES });
        if options.lasts < Duration::from_secs(30) { Err("less than 30 seconds are no soak".to_owned()) } else { Ok(options) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_understood() {
        let options = read("--minutes 2 --seed 7 --rate 100").expect("valid");
        assert_eq!((options.lasts, options.seed, options.bites), (Duration::from_secs(120), 7, 3));
        assert_eq!(read("").expect("valid").lasts, MINUTES);
        assert_eq!(read("--scenario broker-away").expect("valid").lasts, AWAY);
        let short = read("--scenario broker-away --seconds 40").expect("valid");
        assert_eq!((short.lasts, short.scenario), (Duration::from_secs(40), Scenario::BrokerAway));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["--seed", "--seed x", "--speed 1", "--scenario rain", "--seconds 3"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
