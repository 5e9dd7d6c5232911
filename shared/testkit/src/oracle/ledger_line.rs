//! What does a judge write down? One line for each effect that was made, and one when its answer was on its way (`crate::receiver`).

use serde_json::Value;

use super::{Oracle, Policy, Sent};

impl Oracle {
    /// Reads a whole line of the judge's ledger.
    ///
    /// # Errors
    /// When it is none, or lacks something.
    pub fn judge_line(&mut self, line: &str) -> Result<(), String> {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
        let at_ms = number(&line, "at_ms")?;
        if let Some(answered) = line["answered"].as_u64() {
            let (effect, place) = self.numbered.get(&answered).ok_or_else(|| format!("{answered} was answered, and never made"))?;
            if let Some(sent) = self.sent.get_mut(effect).and_then(|all| all.get_mut(*place)) {
                sent.answered_at_ms = Some(at_ms);
            }
            return Ok(());
        }
        let sent = Sent {
            key: text(&line, "id")?,
            job: text(&line, "job")?,
            name: text(&line, "name")?,
            policy: policy(&text(&line, "policy")?)?,
            body: number(&line, "body")?,
            at_ms,
            answered_at_ms: None,
        };
        let effect = (sent.job.clone(), sent.name.clone());
        let place = self.sent.get(&effect).map_or(0, Vec::len);
        // A judge that was started again counts anew: its latest request of a number is meant.
        self.numbered.insert(number(&line, "n")?, (effect, place));
        self.sent(sent);
        Ok(())
    }
}

fn text(line: &Value, field: &str) -> Result<String, String> {
    line[field].as_str().map(str::to_owned).ok_or_else(|| format!("there is no text `{field}`"))
}

fn number(line: &Value, field: &str) -> Result<u64, String> {
    line[field].as_u64().ok_or_else(|| format!("there is no number `{field}`"))
}

fn policy(name: &str) -> Result<Policy, String> {
    match name {
        "repeat_same_key" => Ok(Policy::RepeatSameKey),
        "verify" => Ok(Policy::Verify),
        "hold" => Ok(Policy::Hold),
        other => Err(format!("`{other}` is no policy")),
    }
}
