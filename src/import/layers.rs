//! Which layers something holds of: lists with one element for each layer, lists of layers, and
//! every so many of them.
//!
//! In: keys that say something of layers. Out: counts, and lists as a spec writes them.

use super::family::Rule;
use super::first;
use super::json::{Kind, Member, Node};
use super::read::{Parameter, Reader};
use super::values::{Found, number_text, plain, wanted};
use crate::diagnostic::codes;
use crate::source::Span;

/// As many layers as an explicit list may have.
const MOST_LAYERS: f64 = 10_000.0;

impl Reader<'_> {
    /// How often a word occurs in a list with one element for each layer.
    pub(super) fn period(
        &mut self,
        key: &str,
        member: &Member,
        items: &[Node],
        rule: &Rule,
    ) -> Found {
        let at = member.value.span;
        let word = rule.period.as_deref().unwrap_or_default();
        if word.is_empty() {
            return self.distance(key, member, items);
        }
        let is_word = |n: &Node| plain(n) == word;
        if let Some(layers) = self.numbers.get("layers")
            && *layers != items.len() as f64
        {
            let title = format!(
                "`{key}` has {} elements for {} layers",
                items.len(),
                crate::check::show_number(*layers)
            );
            self.report(codes::CONFIG_CONTRADICTS, title, at, "one for each layer is wanted");
            return Found::Wrong;
        }
        match distance_of(items, is_word) {
            None if rule.if_regular => Found::Default,
            Some(period) => Found::Value {
                text: period.to_string(),
                number: Some(period as f64),
                why: format!("config.json: every {word} of {key}"),
                span: Some(member.span),
            },
            None => {
                let title = format!("`{word}` does not come at regular distances in `{key}`");
                self.report(codes::CONFIG_UNSUPPORTED, title, at, "no period");
                Found::Wrong
            }
        }
    }

    /// At which distance layers come whose numbers stand in a list, the last of each so many.
    fn distance(&mut self, key: &str, member: &Member, items: &[Node]) -> Found {
        let first = items.first().map(|n| &n.kind);
        let step = match first {
            Some(Kind::Number(n)) if *n >= 0.0 && n.fract() == 0.0 => n + 1.0,
            _ => 0.0,
        };
        let expected = (1u32..).map(|i| f64::from(i) * step - 1.0);
        let follows = |(n, e): (&Node, f64)| matches!(n.kind, Kind::Number(n) if n == e);
        let regular = items.iter().zip(expected).all(follows);
        let whole = self.layers().is_none_or(|l| items.len() as f64 == (l / step).floor());
        if step == 0.0 || !regular || !whole {
            let title = format!("the layers of `{key}` do not come at one distance");
            self.report(codes::CONFIG_UNSUPPORTED, title, member.value.span, "no period");
            return Found::Wrong;
        }
        Found::Value {
            text: format!("{step:.0}"),
            number: Some(step),
            why: format!("config.json: {key}"),
            span: Some(member.span),
        }
    }

    /// How many layers the block that is read has.
    pub(super) fn layers(&self) -> Option<f64> {
        let of = |name: &str| {
            let own = !self.family.rules(name).is_empty();
            self.numbers.get(name).copied().filter(|_| own)
        };
        of("layers").or_else(|| of("depth"))
    }

    /// The number that a list has for the layers for which another list has a word.
    pub(super) fn of_some_layers(
        &mut self,
        parameter: &Parameter<'_>,
        key: &str,
        member: &Member,
        items: &[Node],
        of: &str,
    ) -> Found {
        let (list, word) = of.split_once('=').unwrap_or((of, ""));
        let other = self.key(list).map(|m| &m.value.kind);
        let Some(Kind::List(words)) = other else { return Found::Default };
        let pairs = words.iter().zip(items).filter(|(w, _)| plain(w) == word);
        let mut numbers: Vec<String> = pairs.map(|(_, item)| plain(item)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let (at, span) = (member.value.span, Some(member.span));
        let text = match numbers.as_slice() {
            [] => return Found::Default,
            [one] => one.parse().ok().and_then(|n| number_text(n, parameter.ty).ok()),
            _ => {
                let title = format!("`{key}` is not the same in all layers with `{word}`");
                self.report(codes::CONFIG_UNSUPPORTED, title, at, "different numbers");
                return Found::Wrong;
            }
        };
        let Some(text) = text else {
            let title = format!("`{key}` does not give {}", wanted(parameter.ty));
            self.report(codes::CONFIG_KEY_WRONG, title, at, "from here");
            return Found::Wrong;
        };
        let number = text.parse().ok();
        Found::Value { text, number, why: format!("config.json: {key}, {word}"), span }
    }

    /// Of a list with one object for each layer: the layers with a word there, or the numbers that
    /// occur there and the layers that have them.
    pub(super) fn of_each(&mut self, parameter: &Parameter<'_>, rule: &Rule, path: &str) -> Found {
        let Some((key, member)) = self.first_of(&rule.key.0) else { return self.absent(rule) };
        let (at, span) = (member.value.span, Some(member.span));
        let Kind::List(items) = &member.value.kind else {
            let title = format!("`{key}` is {}", member.value.shown());
            self.report(
                codes::CONFIG_KEY_WRONG,
                title,
                at,
                "a list with one object for each layer",
            );
            return Found::Wrong;
        };
        if self.layers().is_some_and(|layers| layers != items.len() as f64) {
            let layers = crate::check::show_number(self.layers().unwrap_or_default());
            let title = format!("`{key}` has {} elements for {layers} layers", items.len());
            self.report(codes::CONFIG_CONTRADICTS, title, at, "one for each layer is wanted");
            return Found::Wrong;
        }
        let words: Vec<String> = items
            .iter()
            .map(|item| item.at(path).map(|m| plain(&m.value)).unwrap_or_default())
            .collect();
        let places = |word: &str| {
            let all = (0u32..).zip(&words).filter(|(_, w)| *w == word);
            all.map(|(i, _)| f64::from(i)).collect::<Vec<f64>>()
        };
        let Some(nth) = rule.nth else {
            let word = rule.indices.as_deref().unwrap_or_default();
            return list(&places(word), format!("config.json: {key}"), span);
        };
        let mut different: Vec<&str> = Vec::new();
        for word in &words {
            if word.parse::<f64>().is_ok() && !different.contains(&word.as_str()) {
                different.push(word);
            }
        }
        if let Some(most) = rule.most.filter(|most| different.len() > *most && nth == 1) {
            let title = format!("`{path}` has {} values in `{key}`", different.len());
            let label = format!("the library tells {most} kinds of layers apart");
            self.report(codes::CONFIG_UNSUPPORTED, title, at, label);
            return Found::Wrong;
        }
        let Some(word) = nth.checked_sub(1).and_then(|n| different.get(n)) else {
            return Found::Default;
        };
        if rule.indices.is_some() {
            return list(&places(word), format!("config.json: {key}, {path} {word}"), span);
        }
        let (from, value) = (rule.from.as_deref().unwrap_or("value"), word.parse().ok());
        self.numbers.extend(value.map(|v| ("value".to_owned(), v)));
        let found = self.worked_out(parameter, from);
        self.numbers.remove("value");
        match found {
            Found::Value { text, number, .. } => {
                let why = format!("config.json: {key}, {path} {word}");
                Found::Value { text, number, why, span }
            }
            other => other,
        }
    }

    /// How many elements at the start of a list are a word that does not come again.
    pub(super) fn leading(
        &mut self,
        key: &str,
        member: &Member,
        items: &[Node],
        word: &str,
    ) -> Found {
        let count = items.iter().take_while(|n| plain(n) == word).count();
        if items.iter().skip(count).any(|n| plain(n) == word) {
            let title = format!("`{word}` comes again after others in `{key}`");
            self.report(
                codes::CONFIG_UNSUPPORTED,
                title,
                member.value.span,
                "not only at the start",
            );
            return Found::Wrong;
        }
        let (why, span) = (format!("config.json: the first of {key}"), Some(member.span));
        Found::Value { text: count.to_string(), number: Some(count as f64), why, span }
    }

    /// The layers at which a word stands in a list, or a letter in a text.
    pub(super) fn indices(&mut self, key: &str, member: &Member, word: &str, rule: &Rule) -> Found {
        let at = member.value.span;
        let (layers, others) = (self.layers(), rule.others);
        let is_word = |n: &Node| word.split('|').any(|w| plain(n) == w);
        let (length, found): (usize, Vec<f64>) = match &member.value.kind {
            // Numbers of layers, as they are.
            Kind::List(items)
                if word.parse::<f64>().is_err()
                    && items.iter().all(|n| matches!(n.kind, Kind::Number(_))) =>
            {
                let numbers = items.iter().filter_map(|n| match n.kind {
                    Kind::Number(n) => Some(if rule.from_one { n - 1.0 } else { n }),
                    _ => None,
                });
                let mut numbers: Vec<f64> = numbers.collect();
                if rule.longer {
                    numbers.retain(|n| layers.is_none_or(|l| *n < l));
                }
                let inside = |n: &f64| *n >= 0.0 && layers.is_none_or(|l| *n < l);
                if let Some(wrong) = numbers.iter().find(|n| !inside(n) || n.fract() != 0.0) {
                    let shown = crate::check::show_number(*wrong);
                    let title = format!("`{key}` names a layer {shown} that there is not");
                    self.report(codes::CONFIG_CONTRADICTS, title, at, "not one of the layers");
                    return Found::Wrong;
                }
                (layers.unwrap_or_default() as usize, numbers)
            }
            Kind::List(items) if rule.if_irregular && distance_of(items, is_word).is_some() => {
                return Found::Default;
            }
            Kind::List(items) if rule.cycled && !items.is_empty() => {
                let all = (layers.unwrap_or_default().min(MOST_LAYERS)) as usize;
                let places = (0u32..).zip(items.iter().cycle().take(all));
                let places = places.filter(|(_, n)| is_word(n) != others);
                (all, places.map(|(i, _)| f64::from(i)).collect())
            }
            Kind::List(items) => {
                let places = (0u32..).zip(items).filter(|(_, n)| is_word(n) != others);
                (items.len(), places.map(|(i, _)| f64::from(i)).collect())
            }
            Kind::Text(text) => {
                let places =
                    (0u32..).zip(text.chars()).filter(|(_, c)| word.contains(*c) != others);
                (text.chars().count(), places.map(|(i, _)| f64::from(i)).collect())
            }
            _ => {
                let title = format!("`{key}` is {}", member.value.shown());
                self.report(codes::CONFIG_KEY_WRONG, title, at, "a list of layers is wanted");
                return Found::Wrong;
            }
        };
        let mut found = found;
        if rule.longer
            && let Some(layers) = layers
        {
            found.retain(|n| *n < layers);
        }
        if let Some(layers) = layers
            && layers != length as f64
            && !(rule.longer && layers < length as f64)
        {
            let layers = crate::check::show_number(layers);
            let title = format!("`{key}` has {length} elements for {layers} layers");
            self.report(codes::CONFIG_CONTRADICTS, title, at, "one for each layer is wanted");
            return Found::Wrong;
        }
        list(&found, format!("config.json: {key}"), Some(member.span))
    }

    /// Every so many layers from a first one on.
    pub(super) fn every(&mut self, from: &str, distance: &str, rule: &Rule) -> Found {
        let ty = Parameter { name: "", ty: "Number", default: None };
        let mut numbers = Vec::new();
        for text in [from, distance] {
            match self.worked_out(&ty, text) {
                Found::Value { number: Some(number), .. } => numbers.push(number),
                _ => return Found::Wrong,
            }
        }
        let layers = self.layers().unwrap_or_default();
        let (first_layer, step) = match numbers.as_slice() {
            [first, step] if *step >= 1.0 && *first >= 0.0 && layers <= MOST_LAYERS => {
                (*first, *step)
            }
            _ => {
                let title = format!("`{distance}` is no distance of layers");
                let whole = first(self.root.span);
                self.report(codes::CONFIG_KEY_WRONG, title, whole, "at least 1 is wanted");
                return Found::Wrong;
            }
        };
        let last = |i: f64| rule.last && i + 1.0 == layers;
        let met = |i: f64| i >= first_layer && (i - first_layer) % step == 0.0;
        let every = |i: &f64| (met(*i) || last(*i)) != rule.others;
        let found: Vec<f64> = (0..layers as u32).map(f64::from).filter(every).collect();
        list(&found, format!("config.json: every {distance} layers from {from}"), None)
    }
}

/// At which distance elements of a list come, the last of each so many.
fn distance_of(items: &[Node], is_it: impl Fn(&Node) -> bool) -> Option<usize> {
    let first = items.iter().position(&is_it).map(|p| p + 1);
    let all = |p: &usize| items.iter().enumerate().all(|(i, n)| is_it(n) == ((i + 1) % p == 0));
    first.filter(all)
}

/// A list of layers as a value.
fn list(layers: &[f64], why: String, span: Option<Span>) -> Found {
    if layers.is_empty() {
        return Found::Default;
    }
    let shown: Vec<String> = layers.iter().map(|n| format!("{n:.0}")).collect();
    Found::Value { text: format!("[{}]", shown.join(", ")), number: None, why, span }
}
