//! The report as one page: no scripts, nothing loaded from elsewhere, light and dark, good to print.

use std::fmt::Write as _;
use std::time::Duration;

use stele_core::calendar;

use super::report::{Bar, Block, Cell, Curve, Figure, Report, StepReport};

const STYLE: &str = include_str!("page.css");
const MARK: &str = r##"<svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true"><path fill="#566064" d="M7 28V11a9 9 0 0 1 18 0v17z"/><path fill="#8a9396" d="M4 28h24v2.5H4z"/><path stroke="#d0d6d4" stroke-width="1.8" d="M11 12h10M11 16h10M11 24h7"/><path stroke="#dcb763" stroke-width="1.8" d="M11 20h10"/></svg>"##;

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::with_capacity(64 << 10);
    let title = text(report.title);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}: a Stele scenario report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    header(&mut out, report);
    out.push_str("<main class=\"wrap\">\n");
    steps(&mut out, report);
    figures(&mut out, &report.figures);
    evidence(&mut out, report);
    check_it(&mut out, report);
    out.push_str("</main>\n");
    let _ = write!(
        out,
        "<footer class=\"wrap\">The parties in this report are fictional; its entries are real entries of the network\u{2019}s log. \
         The figures were measured end to end by the program that ran the scenario, on the machine that ran it.</footer>\n</body>\n</html>\n"
    );
    out
}

fn header(out: &mut String, report: &Report) {
    let (class, symbol, verdict) = match (&report.skip_reason, report.ok()) {
        (Some(_), _) => ("verdict bad", "\u{2013}", "Skipped"),
        (None, true) => ("verdict", "\u{2713}", "Everything held"),
        (None, false) => ("verdict bad", "\u{2715}", "Failed"),
    };
    let _ = write!(
        out,
        "<header class=\"slab\"><div class=\"wrap\">\n<p class=\"brand\">{MARK}Stele \u{b7} scenario report</p>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<p class=\"{class}\"><span aria-hidden=\"true\">{symbol}</span>{verdict}</p>\n",
        text(report.title),
        text(report.purpose)
    );
    if let Some(reason) = &report.skip_reason {
        let _ = writeln!(out, "<p class=\"lead\">{}</p>", text(reason));
    }
    let taken = report.steps.iter().filter(|step| step.ok).count();
    let proven: usize = report.evidence.iter().map(|item| item.bytes).sum();
    let goals: Vec<bool> = report.figures.iter().filter_map(Figure::reached).collect();
    let held = goals.iter().filter(|reached| **reached).count();
    let facts = [
        (
            "Steps",
            format!("{taken} <small>of {}</small>", report.steps.len()),
        ),
        (
            "Receipts",
            format!("{} <small>{}</small>", report.evidence.len(), size(proven)),
        ),
        (
            "Goals reached",
            format!("{held} <small>of {}</small>", goals.len()),
        ),
        (
            "Took",
            seconds(Duration::from_millis(
                report.finished_ms - report.started_ms,
            )),
        ),
        ("Network", text(&report.network.name)),
        ("Finished, UTC", date_time(report.finished_ms)),
    ];
    out.push_str("<dl class=\"facts\">");
    for (name, value) in facts {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>\n<nav class=\"contents\" aria-label=\"On this page\"><a href=\"#steps\">What was done</a>");
    if !report.figures.is_empty() {
        out.push_str("<a href=\"#figures\">What was measured</a>");
    }
    if !report.evidence.is_empty() {
        out.push_str("<a href=\"#evidence\">What is proven</a>");
    }
    out.push_str("<a href=\"#check\">Check it yourself</a></nav>\n</div></header>\n");
}

fn steps(out: &mut String, report: &Report) {
    out.push_str("<section aria-labelledby=\"steps\"><h2 id=\"steps\">What was done</h2>\n<ol class=\"steps panel\">\n");
    for (number, step) in report.steps.iter().enumerate() {
        step_item(out, number + 1, step);
    }
    out.push_str("</ol>\n");
    for (name, reason) in &report.omitted {
        let _ = writeln!(
            out,
            "<p class=\"sub block\">Left out: <strong>{}</strong>. {}</p>",
            words(name),
            text(reason)
        );
    }
    out.push_str("</section>\n");
}

fn step_item(out: &mut String, number: usize, step: &StepReport) {
    let mut class = String::new();
    if !step.ok {
        class.push_str("failed ");
    }
    if !step.blocks.is_empty() {
        class.push_str("long");
    }
    let took = match step.took {
        Some(took) => seconds(took),
        None => "not reached".to_owned(),
    };
    let failed = if step.ok {
        ""
    } else {
        " <span class=\"bad-text\">failed</span>"
    };
    let _ = writeln!(
        out,
        "<li class=\"{}\"><span class=\"num\" aria-hidden=\"true\">{number}</span><div><h3>{}{failed}<span class=\"took\">{took}</span></h3><p>{}</p>",
        class.trim(),
        words(step.name),
        text(&step.detail)
    );
    for block in &step.blocks {
        out.push_str("<div class=\"block\">");
        match block {
            Block::Text(words) => {
                let _ = write!(out, "<p class=\"text\">{}</p>", text(words));
            }
            Block::Table {
                caption,
                head,
                rows,
            } => table(out, caption, head, rows),
            Block::Timeline { caption, stops } => timeline(out, caption, stops),
            Block::Shares { caption, bars } => shares(out, caption, bars),
            Block::Chart {
                caption,
                unit,
                band,
                curves,
            } => chart(out, caption, unit, *band, curves),
        }
        out.push_str("</div>\n");
    }
    out.push_str("</div></li>\n");
}

fn table(out: &mut String, caption: &str, head: &[&str], rows: &[Vec<Cell>]) {
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\"><table><caption>{}</caption><thead><tr>",
        text(caption)
    );
    for name in head {
        let _ = write!(out, "<th scope=\"col\">{}</th>", text(name));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            out.push_str("<td>");
            match cell {
                Cell::Text(words) => out.push_str(&text(words)),
                Cell::Code(code) => {
                    let _ = write!(out, "<code>{}</code>", text(code));
                }
                Cell::Link(words, file) => out.push_str(&link(words, file)),
                Cell::Good(words) => {
                    let _ = write!(out, "<span class=\"good\">{}</span>", text(words));
                }
                Cell::Bad(words) => {
                    let _ = write!(out, "<span class=\"bad\">{}</span>", text(words));
                }
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>");
}

fn timeline(out: &mut String, caption: &str, stops: &[(String, String, String, Option<String>)]) {
    let _ = writeln!(
        out,
        "<p class=\"caption\">{}</p><ol class=\"timeline\">",
        text(caption)
    );
    for (when, what, place, proof) in stops {
        let _ = write!(
            out,
            "<li><span class=\"when\">{}</span><span><span class=\"what\">{}</span><br><span class=\"where\">{}",
            text(when),
            text(what),
            text(place)
        );
        if let Some(file) = proof {
            let _ = write!(out, " \u{b7} {}", link("receipt", file));
        }
        out.push_str("</span></span></li>\n");
    }
    out.push_str("</ol>");
}

/// One bar, cut into parts; its legend says the same in words.
fn shares(out: &mut String, caption: &str, bars: &[Bar]) {
    let total: u64 = bars.iter().map(|bar| bar.count).sum::<u64>().max(1);
    let words: Vec<String> = bars
        .iter()
        .map(|bar| format!("{}: {}", bar.label, bar.count))
        .collect();
    let _ = write!(
        out,
        "<figure><figcaption class=\"caption\">{}</figcaption><svg viewBox=\"0 0 1000 34\" width=\"100%\" height=\"34\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        text(caption),
        text(&words.join(", "))
    );
    let mut left = 0.0;
    for (index, bar) in bars.iter().enumerate() {
        let width = 1000.0 * bar.count as f64 / total as f64;
        let gap = if index + 1 < bars.len() { 3.0 } else { 0.0 };
        let _ = write!(
            out,
            "<rect class=\"share{}\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"34\"/>",
            index % 5,
            (width - gap).max(0.0)
        );
        left += width;
    }
    out.push_str("</svg><ul class=\"legend\">");
    for (index, bar) in bars.iter().enumerate() {
        let _ = write!(
            out,
            "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><rect class=\"share{}\" width=\"12\" height=\"12\" rx=\"2\"/></svg><span><strong>{}</strong> {}</span></li>",
            index % 5,
            bar.count,
            text(&bar.label)
        );
    }
    out.push_str("</ul></figure>");
}

/// Lines over equally spaced points, with the band that they should stay in.
fn chart(out: &mut String, caption: &str, unit: &str, band: Option<(f64, f64)>, curves: &[Curve]) {
    const W: f64 = 900.0;
    const H: f64 = 250.0;
    const LEFT: f64 = 46.0;
    const RIGHT: f64 = 12.0;
    const TOP: f64 = 12.0;
    const BOTTOM: f64 = 30.0;
    let values = || {
        curves
            .iter()
            .flat_map(|curve| curve.points.iter().map(|(_, value)| *value))
    };
    let edges = || band.into_iter().flat_map(|(low, high)| [low, high]);
    let low = values()
        .chain(edges())
        .fold(f64::INFINITY, f64::min)
        .floor()
        - 1.0;
    let high = values()
        .chain(edges())
        .fold(f64::NEG_INFINITY, f64::max)
        .ceil()
        + 1.0;
    let longest = curves
        .iter()
        .map(|curve| curve.points.len())
        .max()
        .unwrap_or(0);
    if longest == 0 {
        return;
    }
    let x = |index: usize| LEFT + (W - LEFT - RIGHT) * index as f64 / (longest.max(2) - 1) as f64;
    let y = |value: f64| TOP + (H - TOP - BOTTOM) * (high - value) / (high - low);
    let _ = write!(
        out,
        "<figure><figcaption class=\"caption\">{}</figcaption><svg viewBox=\"0 0 {W} {H}\" width=\"100%\" role=\"img\" aria-label=\"{}\">",
        text(caption),
        text(caption)
    );
    if let Some((from, to)) = band {
        let (top, height) = (y(to), y(from) - y(to));
        let _ = write!(
            out,
            "<rect class=\"band\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{}\" height=\"{height:.1}\"/>",
            W - LEFT - RIGHT
        );
    }
    let stride = ((high - low) / 5.0).ceil().max(1.0);
    let mut tick = low.ceil();
    while tick <= high {
        let at = y(tick);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
            W - RIGHT,
            LEFT - 8.0,
            at + 4.0
        );
        tick += stride;
    }
    let _ = write!(
        out,
        "<text x=\"{}\" y=\"{TOP}\" text-anchor=\"start\">{}</text>",
        LEFT + 6.0,
        text(unit)
    );
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>",
        W - RIGHT,
        H - BOTTOM,
        H - BOTTOM
    );
    let times = curves.iter().max_by_key(|curve| curve.points.len());
    for (index, (time, _)) in times
        .iter()
        .flat_map(|curve| curve.points.iter().enumerate())
    {
        let every = longest.div_ceil(8);
        if index % every == 0 {
            let anchor = if index == 0 { "start" } else { "middle" };
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                x(index),
                H - 9.0,
                text(time)
            );
        }
    }
    for (number, curve) in curves.iter().enumerate() {
        let points: Vec<String> = curve
            .points
            .iter()
            .enumerate()
            .map(|(index, (_, value))| format!("{:.1},{:.1}", x(index), y(*value)))
            .collect();
        let _ = write!(
            out,
            "<polyline class=\"curve c{}\" points=\"{}\"/>",
            number % 3,
            points.join(" ")
        );
    }
    out.push_str("</svg><ul class=\"legend\">");
    for (number, curve) in curves.iter().enumerate() {
        let _ = write!(
            out,
            "<li><svg width=\"34\" height=\"8\" aria-hidden=\"true\"><path class=\"curve c{}\" d=\"M0 4h34\"/></svg>{}</li>",
            number % 3,
            text(&curve.label)
        );
    }
    out.push_str("</ul></figure>");
}

fn figures(out: &mut String, figures: &[Figure]) {
    if figures.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"figures\"><h2 id=\"figures\">What was measured</h2>\n<div class=\"panel scroll figures\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Figure</th><th scope=\"col\">Measured</th><th scope=\"col\">Goal</th></tr></thead><tbody>\n");
    for figure in figures {
        let goal = match (figure.goal, figure.reached()) {
            (Some(goal), Some(reached)) => {
                let bound = if figure.better == "higher" {
                    "at least"
                } else {
                    "at most"
                };
                let (class, mark) = if reached {
                    ("goal", "\u{2713} reached")
                } else {
                    ("goal missed", "\u{2715} missed")
                };
                format!(
                    "<span class=\"{class}\">{bound} {}<br>{mark}</span>",
                    number(goal)
                )
            }
            _ => "<span class=\"note\">none set</span>".to_owned(),
        };
        let peer = match &figure.peer {
            Some(peer) => format!(". Elsewhere: {}", text(peer)),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "<tr><td><span class=\"id\">{}</span><br><span class=\"note\">{}{peer}</span></td><td class=\"num-cell\"><span class=\"value\">{} <small>{}</small></span></td><td>{goal}</td></tr>",
            words(figure.id),
            text(&figure.note),
            number(figure.value),
            text(figure.unit)
        );
    }
    out.push_str("</tbody></table></div></section>\n");
}

fn evidence(out: &mut String, report: &Report) {
    if report.evidence.is_empty() {
        return;
    }
    out.push_str("<section aria-labelledby=\"evidence\"><h2 id=\"evidence\">What is proven</h2>\n<p class=\"sub\">Each line is a receipt that was verified under the network\u{2019}s key when the scenario received it. The files lie beside this page; anyone can verify them again, without the node and without us.</p>\n<div class=\"panel\">\n");
    for (place, step) in report.steps.iter().enumerate() {
        let items: Vec<_> = report
            .evidence
            .iter()
            .filter(|item| item.step == step.name)
            .collect();
        if items.is_empty() {
            continue;
        }
        let receipts = if items.len() == 1 {
            "receipt"
        } else {
            "receipts"
        };
        // A long list stays folded: the page is to be read, the list to be searched.
        let open = if items.len() <= 12 { " open" } else { "" };
        let _ = writeln!(
            out,
            "<details{open}><summary>{}. {}<span class=\"count\">{} {receipts}</span></summary><div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Claim</th><th scope=\"col\">Proven at</th><th scope=\"col\">Bytes</th><th scope=\"col\">Receipt</th></tr></thead><tbody>",
            place + 1,
            words(step.name),
            items.len()
        );
        for item in items {
            let number: String = item.file.chars().take_while(char::is_ascii_digit).collect();
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td class=\"num-cell\">{}</td><td class=\"file\">{}</td></tr>",
                text(&item.claim),
                text(&item.place),
                number_of(item.bytes),
                link(&format!("{number}\u{a0}receipt"), &item.file)
            );
        }
        out.push_str("</tbody></table></div></details>\n");
    }
    out.push_str("</div></section>\n");
}

fn check_it(out: &mut String, report: &Report) {
    out.push_str("<section aria-labelledby=\"check\"><h2 id=\"check\">Check it yourself</h2>\n<div class=\"panel check\">\n");
    if let Some(first) = report.evidence.first() {
        let file = text(&first.file);
        let _ = write!(
            out,
            "<p>In the folder of this page, with any of the three independent verifiers. Compare the network key with one that you got elsewhere: it is all you have to trust.</p>\n<pre>stele verify {file} --network network.json\npython -m stele_verify {file} --network network.json\nnpx stele-verify {file} --network network.json</pre>\n"
        );
    }
    let rows = [
        ("Input", text(&report.input)),
        ("Seed", format!("<code>{}</code>", report.seed)),
        (
            "Run again",
            format!("<code>stele scenario run {}</code>", text(report.scenario)),
        ),
        (
            "Network",
            format!(
                "{} <code>{}</code>",
                text(&report.network.name),
                report.network.network
            ),
        ),
        (
            "Network key",
            format!(
                "{}, key id <code>{}</code>, in <a href=\"network.json\">network.json</a>",
                text(report.network.key.suite().name()),
                report.network.key.kid()
            ),
        ),
        (
            "The same as data",
            "<a href=\"report.json\">report.json</a>".to_owned(),
        ),
    ];
    out.push_str("<dl class=\"plain\">");
    for (name, value) in rows {
        let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
    }
    out.push_str("</dl></div></section>\n");
}

/// Escapes text for HTML, in content and in quoted attributes.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 8);
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn link(words: &str, file: &str) -> String {
    format!("<a href=\"{}\">{}</a>", text(file), text(words))
}

/// A kebab-case name as words: `issue-recall` is `Issue recall`.
fn words(name: &str) -> String {
    let spaced = name.replace('-', " ");
    let mut chars = spaced.chars();
    match chars.next() {
        Some(first) => text(&(first.to_uppercase().collect::<String>() + chars.as_str())),
        None => String::new(),
    }
}

/// Three significant digits, or all of a whole number, with thin spaces between thousands.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value.fract() == 0.0 {
        let digits = format!("{size:.0}");
        let sign = if value < 0.0 { "\u{2212}" } else { "" };
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index) % 3 == 0 {
                grouped.push('\u{202f}');
            }
            grouped.push(digit);
        }
        return format!("{sign}{grouped}");
    }
    let decimals = if size >= 10.0 { 1 } else { 2 };
    format!("{value:.decimals$}")
}

fn number_of(count: usize) -> String {
    number(count as f64)
}

fn size(bytes: usize) -> String {
    if bytes < 10_000 {
        format!("{} B", number_of(bytes))
    } else {
        format!("{} KiB", number_of(bytes.div_ceil(1024)))
    }
}

fn seconds(took: Duration) -> String {
    if took.as_millis() < 1000 {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

/// `2026-11-22 22:10` of milliseconds since 1970, in UTC.
pub(crate) fn date_time(ms: u64) -> String {
    let (days, minutes) = (ms / 86_400_000, ms / 60_000 % 1440);
    let (year, month, day) = calendar::date(days as i64);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}",
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            text("<b a=\"'x'\">&"),
            "&lt;b a=&quot;&#39;x&#39;&quot;&gt;&amp;"
        );
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        assert_eq!(number(1_234_567.4), "1\u{202f}234\u{202f}567");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(0.1234), "0.12");
        assert_eq!(number(2048.0), "2\u{202f}048");
    }

    #[test]
    fn dates_follow_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01 00:00");
        assert_eq!(date_time(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date_time(1_795_385_400_000), "2026-11-22 22:10");
    }
}
