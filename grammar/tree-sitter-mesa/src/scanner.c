// The line ends, item starts and units of `.mesa`.
//
// In: where the parser stands and which of these tokens it can use. Out: one of them, or none.
// Nothing is remembered between calls.

#include "tree_sitter/parser.h"

#include <string.h>

enum Token {
  NEWLINE,
  ITEM_NEWLINE,
  END_OF_FILE,
  START,
  SKIPPED,
  OPEN,
  MORE,
  NEVER,
  UNIT,
  ERROR,
};

static bool is_letter(int32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(int32_t c) { return c >= '0' && c <= '9'; }
static bool is_part(int32_t c) { return is_letter(c) || is_digit(c) || c == '_'; }
static bool is_blank(int32_t c) { return c == ' ' || c == '\t' || c == '\r'; }

// Reads a word into `word`, cut at `size - 1` characters.
static void read_word(TSLexer *lexer, char *word, unsigned size) {
  unsigned length = 0;
  while (is_part(lexer->lookahead)) {
    if (length + 1 < size) word[length++] = (char)lexer->lookahead;
    lexer->advance(lexer, false);
  }
  word[length] = 0;
}

static bool is_one_of(const char *word, const char *const *words, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    if (strcmp(word, words[i]) == 0) return true;
  }
  return false;
}

// Whatever stands in column 0 starts an item, except closing brackets and comments. Leaves the
// lexer after a first `/`, so the token must be marked before.
static bool starts_item(TSLexer *lexer) {
  int32_t c = lexer->lookahead;
  if (lexer->eof(lexer) || is_blank(c) || c == '\n' || c == ')' || c == ']' || c == '}') return false;
  if (c != '/') return true;
  lexer->advance(lexer, false);
  return lexer->lookahead != '/';
}

// Whether the line that comes next goes on with the statement: a clause, `carry`, `then`, `else`.
static bool goes_on(TSLexer *lexer) {
  static const char *const texts[] = {"from", "source", "because"};
  static const char *const values[] = {"in", "dtype", "density"};
  for (;;) {
    while (is_blank(lexer->lookahead) || lexer->lookahead == '\n') lexer->advance(lexer, false);
    if (lexer->lookahead != '/') break;
    lexer->advance(lexer, false);
    if (lexer->lookahead != '/') return false;
    while (!lexer->eof(lexer) && lexer->lookahead != '\n') lexer->advance(lexer, false);
  }
  if (!is_letter(lexer->lookahead)) return false;
  char word[10];
  read_word(lexer, word, sizeof word);
  bool blank = is_blank(lexer->lookahead);
  while (is_blank(lexer->lookahead)) lexer->advance(lexer, false);
  int32_t next = lexer->lookahead;
  if (is_one_of(word, texts, 3)) return next == '"';
  if (is_one_of(word, values, 3)) {
    return blank && next != '=' && next != '{' && next != '.' && next != '\n';
  }
  if (strcmp(word, "carry") == 0) return blank && (is_letter(next) || next == '_');
  if (strcmp(word, "else") == 0) return next != '=' && next != '.';
  return false;
}

// A line end with the blank lines after it.
static bool line_end(TSLexer *lexer, const bool *valid) {
  while (is_blank(lexer->lookahead) || lexer->lookahead == '\n') {
    bool ended = lexer->lookahead == '\n';
    lexer->advance(lexer, false);
    if (ended) lexer->mark_end(lexer); // column 0 of some line
  }
  bool item = lexer->get_column(lexer) == 0 && starts_item(lexer);
  if (item) {
    if (!valid[ITEM_NEWLINE]) return false;
    lexer->result_symbol = ITEM_NEWLINE;
    return true;
  }
  if (valid[ERROR]) {
    lexer->result_symbol = NEWLINE;
    return true;
  }
  if (valid[OPEN] || (valid[MORE] && goes_on(lexer))) {
    lexer->result_symbol = SKIPPED;
    return true;
  }
  lexer->result_symbol = NEWLINE;
  return valid[NEWLINE];
}

// `%`, or `TB/s`, `m^2`: not one of the words that may follow a number.
static bool unit(TSLexer *lexer, bool glued) {
  static const char *const not_units[] = {
      "in",     "of",   "per",  "and", "or",  "then", "else", "because",  "source", "from",  "dtype",
      "density", "on", "with", "via", "at", "over", "within", "schedule", "across", "as", "carry",
  };
  lexer->result_symbol = UNIT;
  if (glued) {
    if (lexer->lookahead != '%') return false;
    lexer->advance(lexer, false);
    lexer->mark_end(lexer);
    return true;
  }
  if (!is_letter(lexer->lookahead)) return false;
  char word[10];
  read_word(lexer, word, sizeof word);
  if (is_one_of(word, not_units, sizeof not_units / sizeof *not_units)) return false;
  lexer->mark_end(lexer);
  for (;;) {
    if (lexer->lookahead == '^') {
      lexer->advance(lexer, false);
      if (lexer->lookahead == '-') lexer->advance(lexer, false);
      bool zero = lexer->lookahead == '0';
      while (lexer->lookahead == '0') lexer->advance(lexer, false);
      if (!zero && !is_digit(lexer->lookahead)) return false;
      if (is_digit(lexer->lookahead)) lexer->advance(lexer, false);
      if (is_digit(lexer->lookahead)) return false; // exponents end at 9
      lexer->mark_end(lexer);
    }
    if (lexer->lookahead != '/') return true;
    lexer->advance(lexer, false);
    if (!is_letter(lexer->lookahead)) return true;
    while (is_part(lexer->lookahead)) lexer->advance(lexer, false);
    lexer->mark_end(lexer);
  }
}

bool tree_sitter_mesa_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  (void)payload;
  lexer->mark_end(lexer);
  if (valid[START] && lexer->get_column(lexer) == 0 && starts_item(lexer)) {
    lexer->result_symbol = START;
    return true;
  }
  bool glued = true;
  while (is_blank(lexer->lookahead)) {
    glued = false;
    lexer->advance(lexer, true);
  }
  if (lexer->eof(lexer)) {
    lexer->result_symbol = END_OF_FILE;
    lexer->mark_end(lexer);
    return valid[END_OF_FILE] && !valid[ERROR];
  }
  if (lexer->lookahead == '\n') return line_end(lexer, valid);
  return valid[UNIT] && !valid[ERROR] && unit(lexer, glued);
}

void *tree_sitter_mesa_external_scanner_create(void) { return NULL; }
void tree_sitter_mesa_external_scanner_destroy(void *payload) { (void)payload; }
unsigned tree_sitter_mesa_external_scanner_serialize(void *payload, char *buffer) {
  (void)payload;
  (void)buffer;
  return 0;
}
void tree_sitter_mesa_external_scanner_deserialize(void *payload, const char *buffer, unsigned n) {
  (void)payload;
  (void)buffer;
  (void)n;
}
