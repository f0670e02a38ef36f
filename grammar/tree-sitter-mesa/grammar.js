/**
 * The grammar of `.mesa` for editors, written from `grammar/mesa.pest`.
 *
 * In: a file. Out: a tree for colours, folds and indentation. `mesa.pest` is the truth; a test
 * holds the two together. What pest accepts only to say what to write instead (`let`, `&&`,
 * `1,000`) is an error here.
 *
 * Line ends are decided by `src/scanner.c`. It emits `_newline` where a statement may end, skips
 * the line end where `gap` (written `_open` below, a token that never comes) or a clause of the
 * line before allows it, and refuses it everywhere else.
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

/** Binary operators with their strength, loosest first, as in `src/syntax/lower/expr.rs`. */
const STRENGTH = {
  arrow: 1, range: 2, or: 3, and: 4, not: 5, compare: 6, union: 7, intersect: 8,
  add: 9, multiply: 10, per: 11, negate: 12, power: 13, postfix: 14,
};

/** Words that start a statement; each may also be the name of a setting. */
const STATEMENT_WORDS = [
  'axis', 'backward', 'chip', 'expect', 'fold', 'fuse', 'grad', 'input', 'level', 'maximize',
  'mesh', 'minimize', 'output', 'overlap', 'repeat', 'require', 'shard', 'vary', 'weight', 'where',
  'zero',
];

/** Words that join values; they stand for none. */
const JOINING_WORDS = ['and', 'or', 'per', 'then', 'else'];

const ITEM_WORDS = [
  'const', 'fn', 'assume', 'dimension', 'unit', 'dtype', 'axis', 'op', 'block', 'model', 'chip',
  'link', 'system', 'plan', 'runtime', 'scenario', 'metric', 'measured', 'sweep',
];

/** A name glued to what stands before it. */
const part = $ => alias(token.immediate(/[A-Za-z_][A-Za-z0-9_]*/), $.name);

/** As many as there are: a comma after a name asks for another. */
const list1 = ($, rule) => prec.right(seq(rule, repeat(seq(',', gap($), rule))));

/** Where pest's `gap` stands: line ends mean nothing. */
const gap = $ => optional($._open);

/** `rule`s between brackets, over any number of lines, with a comma after the last if wished. */
const bracketed = ($, open, rule, close) => seq(
  open, gap($),
  optional(seq(
    rule, gap($), repeat(seq(',', gap($), rule, gap($))), optional(seq(',', gap($))),
  )),
  close,
);

module.exports = grammar({
  name: 'mesa',

  externals: $ => [
    $._newline,        // ends a statement; the next line does not start an item
    $._item_newline,   // the next line starts an item
    $._end_of_file,
    $._start,          // before an item, in column 0
    $._skipped,        // a line end that means nothing
    $._open,           // never comes: says that line ends mean nothing here
    $._more,           // never comes: says that a clause or an `else` may go on after a line end
    $._never,          // never comes
    $.unit,            // after a number: glued `%`, or a unit on the same line
    $._error,          // never asked for but while recovering
  ],

  extras: $ => [/[ \t\r]/, $.comment, $.doc_comment, $.file_comment, $._skipped],

  word: $ => $.name,

  supertypes: $ => [$._statement, $._expression],

  inline: $ => [$._assign],

  conflicts: $ => [
    [$._setting_name, $.input], [$._setting_name, $.weight], [$._setting_name, $.output],
    [$._setting_name, $.require], [$._setting_name, $.expect], [$._setting_name, $.fuse],
    [$._setting_name, $.repeat], [$._setting_name, $.mesh], [$._setting_name, $.shard],
    [$._setting_name, $.zero], [$._setting_name, $.overlap], [$._setting_name, $.axis],
    [$._setting_name, $.fold], [$._setting_name, $.chip], [$._setting_name, $.level],
    [$._setting_name, $.backward], [$._setting_name, $.grad], [$._setting_name, $.vary],
    [$._setting_path, $.if], [$._setting_name, $.where], [$._setting_name, $.objective],
  ],

  rules: {
    source_file: $ => seq(
      repeat(choice($._newline, $._item_newline)),
      repeat(seq(
        $._start, choice($.use, $.item),
        choice($._end_of_file, repeat1(choice($._newline, $._item_newline))),
      )),
    ),

    // ------------------------------------------------------------------ comments, names

    comment: _ => token(prec(-1, /\/\/[^\n]*/)),
    doc_comment: _ => token(prec(1, /\/\/\/([^\/\n][^\n]*)?/)),
    file_comment: _ => token(prec(1, /\/\/![^\n]*/)),

    name: _ => /[A-Za-z_][A-Za-z0-9_]*/,

    path: $ => seq($.name, repeat(seq(token.immediate('.'), part($)))),

    // ------------------------------------------------------------------ items

    // One shape for every kind, as in pest.
    item: $ => seq(
      field('kind', choice(...ITEM_WORDS)),
      field('name', $.name),
      optional(field('label', $.text)),
      optional(seq(choice('for', 'of'), field('of', $.name))),
      optional(field('parameters', $.parameters)),
      optional(seq(choice(':', '->'), field('result', $.type))),
      optional(seq('=', gap($), field('value', $._expression))),
      repeat($._clause),
      optional(field('body', $.body)),
    ),

    use: $ => seq(
      'use',
      choice(
        seq($.name, repeat(seq(token.immediate('.'), part($)))),
        seq(field('file', $.text), repeat(seq(token.immediate('.'), part($)))),
      ),
      optional(seq(token.immediate('.'), $.use_list)),
      optional(seq('as', field('alias', $.name))),
    ),
    use_list: $ => bracketed($, '{', $.use_name, '}'),
    use_name: $ => seq(field('name', $.name), optional(seq('as', field('alias', $.name)))),

    parameters: $ => bracketed($, choice('(', token.immediate('(')), $.parameter, ')'),
    parameter: $ => seq(
      field('name', $.name),
      optional(seq(':', gap($), field('type', $.type))),
      optional(seq('=', gap($), field('default', $._expression))),
    ),

    type: $ => seq(
      $._type_part, repeat(seq(choice('*', '/'), $._type_part)),
      optional($.axes),
      optional(token.immediate('?')),
    ),
    _type_part: $ => choice(seq(alias($.name, $.type_name), optional($.power)), '1'),
    power: _ => token.immediate(/\^-?0*[0-9]/),

    _clause: $ => seq(optional($._more), choice(
      seq(field('clause', choice('from', 'source', 'because', 'else')), $.text),
      seq(field('clause', choice('in', 'dtype', 'density')), $._expression),
    )),

    // ------------------------------------------------------------------ bodies, statements

    body: $ => seq(
      '{',
      repeat($._separator),
      optional(seq(
        $._statement,
        repeat(seq(repeat1($._separator), $._statement)),
        repeat($._separator),
      )),
      '}',
    ),
    _separator: $ => choice($._newline, ','),

    _statement: $ => choice(
      $.setting, $.section,
      $.input, $.weight, $.output, $.axis, $.require, $.expect, $.fuse, $.repeat, $.if,
      $.mesh, $.shard, $.zero, $.overlap, $.fold,
      $.chip, $.level,
      $.backward, $.grad,
      $.vary, $.where, $.objective,
    ),

    _setting_name: $ => choice($.name, ...STATEMENT_WORDS.map(word => alias(word, $.name))),

    setting: $ => seq(
      field('name', alias($._setting_path, $.path)),
      optional($.axes),
      optional($.within),
      $._assign,
      field('value', $._expression),
      repeat($._clause),
    ),
    _setting_path: $ => seq(
      choice($._setting_name, alias('if', $.name)), repeat(seq(token.immediate('.'), part($))),
    ),
    _assign: $ => seq('=', gap($)),
    within: $ => prec.right(seq('within', list1($, $.path))),
    axes: $ => bracketed($, '[', $.axis_name, ']'),
    axis_name: $ => choice($.name, seq('..', part($))),

    section: $ => prec.dynamic(-1, seq(
      field('name', $._setting_name),
      optional(field('label', $.name)),
      optional(seq('at', $.name)),
      optional($.via),
      field('body', $.body),
    )),
    via: $ => seq('via', $._expression),

    input: $ => seq('input', field('name', $.name), $.axes, repeat($._clause)),
    weight: $ => seq('weight', field('name', $.name), $.axes, repeat($._clause)),
    output: $ => seq('output', $._expression),
    axis: $ => seq('axis', field('name', $.name), $._assign, $._expression),
    require: $ => seq('require', $._expression, repeat($._clause)),
    expect: $ => seq('expect', $._expression, repeat($._clause)),
    fuse: $ => seq('fuse', optional(field('name', $.name)), field('body', $.body)),
    repeat: $ => seq(
      'repeat', field('index', $.name), 'in', field('count', $._expression),
      optional($.carry), repeat($._clause), field('body', $.body),
    ),
    carry: $ => prec.right(seq(optional($._more), 'carry', list1($, $.name))),
    if: $ => seq(
      'if', field('condition', $._expression), field('body', $.body),
      repeat(seq(
        optional($._more), 'else', 'if', field('condition', $._expression), field('body', $.body),
      )),
      optional(seq(optional($._more), 'else', field('body', $.body))),
    ),

    mesh: $ => prec.right(seq('mesh', list1($, $.mesh_axis))),
    mesh_axis: $ => seq(
      field('name', $.name),
      optional(seq('=', gap($), $._expression)),
      optional(seq('across', $.name)),
    ),
    shard: $ => seq(
      'shard', list1($, $.path), $.over,
      repeat(choice($.within, seq('schedule', $._expression))),
    ),
    over: $ => prec.right(seq('over', list1($, $.name))),
    zero: $ => seq('zero', $.name, $.over),
    overlap: $ => prec.right(seq('overlap', list1($, $.name))),
    fold: $ => seq('fold', field('name', $.name), $._assign, $._expression),

    chip: $ => seq('chip', field('name', $.name), $._assign, $._expression),
    level: $ => seq(
      'level', field('name', $.name), $._assign, choice($.level_list, $.level_part), optional($.via),
    ),
    level_list: $ => bracketed($, '[', $.level_part, ']'),
    level_part: $ => seq($._expression, 'of', $.name),

    backward: $ => seq('backward', field('name', $.name), field('body', $.body)),
    grad: $ => seq('grad', field('name', $.name), $._assign, $._expression),
    vary: $ => seq('vary', $.path, 'in', $._expression),
    where: $ => seq('where', $._expression),
    objective: $ => prec.right(seq(
      choice('minimize', 'maximize'), $._expression, repeat(seq(',', gap($), $._expression)),
    )),

    // ------------------------------------------------------------------ expressions

    _expression: $ => choice(
      $.unary, $.binary, $.with, $.on, $.if_then, $._operand,
    ),

    unary: $ => choice(
      prec(STRENGTH.not, seq('not', gap($), $._expression)),
      prec(STRENGTH.negate, seq('-', gap($), $._expression)),
    ),

    binary: $ => {
      const binary = (strength, operators, side = prec.left) => side(strength, seq(
        field('left', $._expression),
        field('operator', operators.length == 1 ? operators[0] : choice(...operators)), gap($),
        field('right', $._expression),
      ));
      return choice(
        binary(STRENGTH.arrow, ['->']),
        binary(STRENGTH.range, ['..']),
        binary(STRENGTH.or, ['or']),
        binary(STRENGTH.and, ['and']),
        binary(STRENGTH.compare, ['==', '!=', '<', '<=', '>', '>=']),
        binary(STRENGTH.union, ['|']),
        binary(STRENGTH.intersect, ['&']),
        binary(STRENGTH.add, ['+', '-']),
        binary(STRENGTH.multiply, ['*', '/', '%']),
        binary(STRENGTH.per, ['per']),
        binary(STRENGTH.power, ['^'], prec.right),
      );
    },

    with: $ => prec.left(STRENGTH.postfix, seq($._expression, 'with', $.body)),
    on: $ => prec.left(STRENGTH.postfix, seq($._expression, 'on', $.name)),

    if_then: $ => prec.right(seq(
      'if', gap($), field('condition', $._expression), gap($),
      'then', gap($), field('value', $._expression), gap($),
      'else', gap($), field('otherwise', $._expression),
    )),

    _operand: $ => choice($.number, $.text, $._place, $.reserved),

    // Words that join values are none themselves.
    reserved: $ => seq(choice(...JOINING_WORDS), $._never),

    _place: $ => choice($.name, $.parenthesized, $.list, $.field, $.call),
    field: $ => prec(STRENGTH.postfix + 1, seq($._place, token.immediate('.'), field('name', part($)))),
    call: $ => prec(STRENGTH.postfix + 1, seq(
      field('function', $._place), field('arguments', $.arguments),
    )),
    arguments: $ => bracketed($, token.immediate('('), $.argument, ')'),
    argument: $ => choice(
      seq(
        field('name', choice($.name, ...JOINING_WORDS.map(word => alias(word, $.name)))),
        ':', optional(field('value', $._expression)),
      ),
      $._expression,
    ),
    parenthesized: $ => seq(
      choice('(', token.immediate('(')), gap($), $._expression, gap($), ')',
    ),
    list: $ => bracketed($, '[', $._expression, ']'),

    number: $ => seq(
      field('value', alias(/[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE](\+?0*([12]?[0-9]{1,2}|30[0-8])|-[0-9]+))?/, $.digits)),
      optional(field('unit', $.unit)),
    ),

    text: $ => seq(
      '"',
      repeat(choice(
        alias(token.immediate(prec(1, /[^"\\\n{}]+/)), $.text_content),
        alias(token.immediate(/\\["\\nt]/), $.escape),
        alias(token.immediate(choice('{{', '}}')), $.escape),
        $.hole,
      )),
      token.immediate('"'),
    ),
    hole: $ => seq(token.immediate('{'), $._expression, '}'),
  },
});
