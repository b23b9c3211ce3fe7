/*!
From trees to what is run: functions, arguments and paths are checked, literals are folded.

What the Collector refuses at its start is refused here: an argument that is a literal of the wrong type, a pattern that
is none, a path that the context lacks.
*/

mod arguments;
mod checks;
pub(super) mod expression;

use expression::{Call, Condition, Expression, Key, Literal, Path, Statement, Test};

use super::{
    Arena, Context, Names, ParseError, State,
    calls::{self, Called},
    context::{self, Hints},
    eval::Evaluation,
    grammar::{self, Bool, StatementTree, Value, ValueKind, parse_condition, parse_statement},
    paths,
    value::compare,
};

/// A list of texts that was compiled for one context.
#[derive(Debug)]
pub(crate) struct Compiled<T> {
    pub(crate) context: Context,
    pub(crate) list: Vec<T>,
}

/// What is wrong with some texts, each mistake with the number of its text.
pub(crate) type Mistakes = Vec<(usize, ParseError)>;

/// Compiles statements, with the conditions of their list, for `context`, or for the one that follows from their paths.
///
/// # Errors
/// Mistakes, each with the number of its text, statements first.
pub(crate) fn compile_statements(
    statements: &[&str],
    conditions: &[&str],
    context: Option<Context>,
) -> Result<(Compiled<Statement>, Vec<Condition>), Mistakes> {
    let trees = parse_all(statements, 0, parse_statement);
    let tests = parse_all(conditions, statements.len(), parse_condition);
    let (trees, tests) = both(trees, tests)?;
    for (i, tree) in trees.iter().enumerate() {
        check_names(&tree.editor.name, tree.editor.at).map_err(|e| vec![(i, e)])?;
    }
    let names = if context.is_some() {
        Names::Optional
    } else {
        Names::Required
    };
    let mut hints = Hints::new(calls::available);
    trees.iter().for_each(|tree| hints.statement(tree));
    tests.iter().for_each(|tree| hints.condition(tree));
    let context = (context.or_else(|| hints.infer())).ok_or_else(|| vec![(0, no_context())])?;
    let compiler = Compiler { context, names };
    let list = compile_all(&trees, 0, |tree| compiler.statement(tree));
    let tests = compile_all(&tests, statements.len(), |tree| {
        compiler.test(tree).map(Condition)
    });
    let (list, tests) = both(list, tests)?;
    Ok((Compiled { context, list }, tests))
}

/// Compiles conditions. Without a `context`, each may have another.
///
/// # Errors
/// Mistakes, each with the number of its text.
pub(crate) fn compile_conditions(
    conditions: &[&str],
    context: Option<Context>,
) -> Result<Vec<(Context, Condition)>, Mistakes> {
    let trees = parse_all(conditions, 0, parse_condition)?;
    compile_all(&trees, 0, |tree| {
        let names = if context.is_some() {
            Names::Optional
        } else {
            Names::Required
        };
        let mut hints = Hints::new(calls::available);
        hints.condition(tree);
        let context = context.or_else(|| hints.infer()).ok_or_else(no_context)?;
        let test = Compiler { context, names }.test(tree)?;
        Ok((context, Condition(test)))
    })
}

fn no_context() -> ParseError {
    ParseError::new(0, 1, "no context follows from the paths")
        .help("begin paths with resource., scope., span. or spanevent., or give the list a context")
}

type Numbered<T> = Result<Vec<T>, Vec<(usize, ParseError)>>;

fn parse_all<T>(
    texts: &[&str],
    first: usize,
    parse: fn(&str) -> Result<T, ParseError>,
) -> Numbered<T> {
    compile_all(texts, first, |text| parse(text))
}

fn compile_all<S, T>(
    from: &[S],
    first: usize,
    compile: impl Fn(&S) -> Result<T, ParseError>,
) -> Numbered<T> {
    let (mut done, mut mistakes) = (Vec::new(), Vec::new());
    for (i, from) in from.iter().enumerate() {
        match compile(from) {
            Ok(compiled) => done.push(compiled),
            Err(mistake) => mistakes.push((first + i, mistake)),
        }
    }
    if mistakes.is_empty() {
        Ok(done)
    } else {
        Err(mistakes)
    }
}

fn both<A, B>(a: Numbered<A>, b: Numbered<B>) -> Result<(Vec<A>, Vec<B>), Mistakes> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut a), Err(b)) => {
            a.extend(b);
            Err(a)
        }
        (Err(mistakes), _) | (_, Err(mistakes)) => Err(mistakes),
    }
}

/// Finds the function of this name, an editor or a converter as it is written.
fn check_names(name: &str, at: usize) -> Result<&'static calls::Function, ParseError> {
    calls::function(name).ok_or_else(|| {
        let is_editor = name.starts_with(|c: char| c.is_ascii_lowercase());
        let all = calls::FUNCTIONS
            .iter()
            .filter(|f| f.is_editor() == is_editor);
        let names: Vec<&str> = all.map(|f| f.name).collect();
        let error = ParseError::new(at, name.len(), format!("there is no function {name}"));
        match nearest(name, &names) {
            Some(near) => error.help(format!("did you mean {near}?")),
            None => error.help(format!("there are {}", names.join(", "))),
        }
    })
}

/// The name that `name` is most likely a misspelling of.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let distance =
        |of: &&&str| strsim::damerau_levenshtein(&name.to_lowercase(), &of.to_lowercase());
    let near = names.iter().min_by_key(distance)?;
    (distance(&near) <= 1 + near.len() / 4).then_some(*near)
}

/// Compiles for one context.
#[derive(Clone, Copy)]
pub(super) struct Compiler {
    pub(super) context: Context,
    pub(super) names: Names,
}

impl Compiler {
    fn statement(self, tree: &StatementTree) -> Result<Statement, ParseError> {
        Ok(Statement {
            editor: self.call(&tree.editor)?,
            condition: match &tree.condition {
                Some(condition) => self.test(condition)?,
                None => Test::Literal(true),
            },
        })
    }

    /// Compiles a condition. What is known is folded as the Collector folds it: one
    /// false decides an `and`, one true an `or`, whatever errors the others would have.
    fn test(self, tree: &Bool) -> Result<Test, ParseError> {
        Ok(match tree {
            Bool::Literal(value) => Test::Literal(*value),
            Bool::Not(inside) => match self.test(inside)? {
                Test::Literal(value) => Test::Literal(!value),
                other => Test::Not(Box::new(other)),
            },
            Bool::And(parts) => fold(self.tests(parts)?, false, Test::And),
            Bool::Or(parts) => fold(self.tests(parts)?, true, Test::Or),
            Bool::Call(call) => Test::Call(Box::new(self.call(call)?)),
            Bool::Compare(op, sides) => {
                let (left, right) = (self.value(&sides.0)?, self.value(&sides.1)?);
                match (left.literal(), right.literal()) {
                    (Some(left), Some(right)) => {
                        Test::Literal(compare(left.value(), *op, right.value()))
                    }
                    _ => Test::Compare(*op, Box::new((left, right))),
                }
            }
        })
    }

    fn tests(self, parts: &[Bool]) -> Result<Vec<Test>, ParseError> {
        parts.iter().map(|part| self.test(part)).collect()
    }

    /// Compiles a value.
    pub(super) fn value(self, tree: &Value) -> Result<Expression, ParseError> {
        Ok(Expression::Literal(match &tree.kind {
            ValueKind::Nil => Literal::Nil,
            ValueKind::Bool(value) => Literal::Bool(*value),
            ValueKind::Int(n) => Literal::Int(*n),
            ValueKind::Float(n) => Literal::Double(*n),
            ValueKind::String(text) => Literal::Str(text.as_str().into()),
            ValueKind::Bytes(bytes) => Literal::Bytes(bytes.as_slice().into()),
            ValueKind::Enum(name) => match context::enumerator(name) {
                Some(n) if matches!(self.context, Context::Span | Context::SpanEvent) => {
                    Literal::Int(n)
                }
                _ => {
                    let message = format!(
                        "there is no symbol {name} in the {} context",
                        self.context.name()
                    );
                    return Err(ParseError::new(tree.at, tree.width, message)
                        .help("symbols are SPAN_KIND_SERVER, STATUS_CODE_ERROR and their kin; texts stand in double quotes"));
                }
            },
            ValueKind::Function(name) => {
                let message = format!("{name} is not called");
                return Err(ParseError::new(tree.at, tree.width, message)
                    .help("write its arguments in parentheses"));
            }
            ValueKind::Path(path) => return self.path(path).map(Expression::Path),
            ValueKind::Call(call) => return Ok(Expression::Call(Box::new(self.call(call)?))),
            ValueKind::List(values) => {
                let values: Result<Vec<_>, _> = values.iter().map(|v| self.value(v)).collect();
                return self.folded(Expression::List(values?), tree);
            }
            ValueKind::Map(entries) => {
                let entry =
                    |(key, value): &(String, Value)| Ok((key.as_str().into(), self.value(value)?));
                let mut entries: Vec<(Box<str>, Expression)> =
                    entries.iter().map(entry).collect::<Result<_, _>>()?;
                // The last of a key counts.
                let mut at = entries.len();
                while at > 0 {
                    at -= 1;
                    let key = entries[at].0.clone();
                    if entries[at + 1..].iter().any(|(other, _)| *other == key) {
                        entries.remove(at);
                    }
                }
                return self.folded(Expression::Map(entries), tree);
            }
            ValueKind::Math(op, sides) => {
                let sides = (self.value(&sides.0)?, self.value(&sides.1)?);
                return Ok(Expression::Math(*op, Box::new(sides)));
            }
            ValueKind::Negative(of) => match self.value(of)? {
                Expression::Literal(Literal::Double(n)) => Literal::Double(-n),
                other => return Ok(Expression::Negative(Box::new(other))),
            },
            ValueKind::Group(of) => return self.value(of),
        }))
    }

    /// Evaluates a list or map of literals once and for all.
    fn folded(self, expression: Expression, tree: &Value) -> Result<Expression, ParseError> {
        let is_known = match &expression {
            Expression::List(values) => values.iter().all(|v| v.literal().is_some()),
            Expression::Map(entries) => entries.iter().all(|(_, v)| v.literal().is_some()),
            _ => false,
        };
        if !is_known {
            return Ok(expression);
        }
        let (state, mut arena) = (State::new(), Arena::default());
        arena.reset(1 << 20);
        let value = Evaluation::new(&state, &arena).value(&expression);
        let literal = value.map(Literal::of);
        literal
            .map(Expression::Literal)
            .map_err(|e| ParseError::new(tree.at, tree.width, e.to_string()))
    }

    /// Compiles a path, of which indexes may be values.
    pub(super) fn path(self, tree: &grammar::Path) -> Result<Path, ParseError> {
        let (field, keys) = paths::resolve(tree, self.context, self.names)?;
        Ok(Path {
            field,
            keys: self.keys(keys)?,
        })
    }

    fn keys(self, keys: &[grammar::Key]) -> Result<Box<[Key]>, ParseError> {
        let keys = keys.iter().map(|key| {
            Ok(match key {
                grammar::Key::String(text) => Key::Str(text.as_str().into()),
                grammar::Key::Int(n) => Key::Int(*n),
                grammar::Key::Value(value) => Key::Value(self.value(value)?),
            })
        });
        keys.collect()
    }

    /// Compiles a call.
    pub(super) fn call(self, tree: &grammar::Call) -> Result<Call, ParseError> {
        let function = check_names(&tree.name, tree.at)?;
        if !calls::available(&tree.name).has(self.context) {
            let message = format!(
                "{} is for the span context, and not for {}",
                tree.name,
                self.context.name()
            );
            return Err(ParseError::new(tree.at, tree.name.len(), message));
        }
        let arguments = match function.is {
            // Whatever their arguments are, they take none.
            Called::IsRootSpan | Called::Now | Called::Uuid | Called::UuidV7 => Box::default(),
            _ => self.arguments(function, tree)?,
        };
        let call = Call {
            function,
            arguments,
            pattern: None,
            keys: self.keys(&tree.keys)?,
        };
        call.checked(tree)
    }
}

fn fold(tests: Vec<Test>, decisive: bool, several: fn(Box<[Test]>) -> Test) -> Test {
    if tests
        .iter()
        .any(|test| matches!(test, Test::Literal(value) if *value == decisive))
    {
        return Test::Literal(decisive);
    }
    let mut open: Vec<Test> = tests
        .into_iter()
        .filter(|test| !matches!(test, Test::Literal(_)))
        .collect();
    match open.len() {
        0 => Test::Literal(!decisive),
        1 => open.swap_remove(0),
        _ => several(open.into()),
    }
}
