/* The standards that cases are mapped to: the text is understood, and no case is without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gauntlet/standards.h"

static char why[512];

static struct standards *parse_standards(const char *text)
{
  struct standards *standards = standards_parse(text, why, sizeof why);
  if (standards == NULL) fail_msg("%s", why);
  return standards;
}

static struct standards *load_ours(void)
{
  struct standards *standards =
      standards_load(FLEETSIM_SOURCE_DIR "/certs/standards.txt", why, sizeof why);
  if (standards == NULL) fail_msg("standards.txt: %s", why);
  return standards;
}

static void a_block_is_found_by_its_word(void **state)
{
  (void) state;
  struct standards *standards = parse_standards("# clauses\n"
                                                "flaw name\n"
                                                "  etsi: 5.5-1 | whose it is\r\n"
                                                "  cwe:297|the host\n"
                                                "layer https\n"
                                                "  cra: I.1.2(c) | updates arrive\n");
  const struct standards_block *name = &standards->flaw[CASE_FLAW_NAME];
  assert_int_equal(name->count, 2);
  assert_int_equal(name->clause[0].body, STANDARDS_ETSI);
  assert_string_equal(name->clause[0].clause, "5.5-1");
  assert_string_equal(name->clause[0].sentence, "whose it is");
  assert_int_equal(name->clause[1].body, STANDARDS_CWE);
  assert_string_equal(name->clause[1].clause, "297");
  assert_int_equal(standards->layer[CASE_HTTPS].count, 1);
  assert_int_equal(standards->layer[CASE_MQTT].count, 0);
  assert_int_equal(standards->flaw[CASE_FLAW_TIME].count, 0);
  free(standards);
}

static void refuses_standards(const char *text, const char *sentence)
{
  why[0] = '\0';
  struct standards *standards = standards_parse(text, why, sizeof why);
  if (standards != NULL) fail_msg("taken: %s", text);
  if (strstr(why, sentence) == NULL) fail_msg("expected '%s' in '%s'", sentence, why);
}

static void what_it_does_not_understand_is_refused_with_its_line(void **state)
{
  (void) state;
  refuses_standards("nonsense\n", "line 1: expected 'flaw WORD'");
  refuses_standards("etsi: 5.5-1 | x\n", "line 1: a clause belongs under");
  refuses_standards("# one\nflaw honesty\n", "line 2: 'honesty' is no word of a flaw");
  refuses_standards("layer dtls\n", "'dtls' is no layer");
  refuses_standards("flaw name\n nist: 5 | x\n", "line 2: 'nist' is no standard");
  refuses_standards("flaw name\n etsi: | x\n", "a clause has 1 to 39 bytes");
  refuses_standards("flaw name\n etsi: 5.5-1 |\n", "a sentence has 1 to 159 bytes");
  refuses_standards("flaw name\n etsi 5.5-1 | x: y\n", "line 2: expected");
  refuses_standards("flaw name\n etsi: 1 | x\n etsi: 1 | y\n", "line 3: clause 1 is there twice");
  refuses_standards("flaw name\n etsi: 1 | x\nflaw time\n cwe: 1 | x\nflaw name\n",
                    "line 5: 'name' is there twice");
}

static void a_word_has_no_more_clauses_than_there_is_room_for(void **state)
{
  (void) state;
  char text[1024] = "flaw name\n";
  for (int i = 0; i <= STANDARDS_CLAUSES_MAX; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), "cwe: %d | x\n", i);
  refuses_standards(text, "line 18: more than 16 clauses");
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
  (void) state;
  assert_null(standards_load(FLEETSIM_SOURCE_DIR "/certs/no-such-file", why, sizeof why));
  assert_non_null(strstr(why, "cannot be read"));
}

static void a_case_has_the_clauses_of_its_flaws_and_its_layer_each_once(void **state)
{
  (void) state;
  struct standards *standards = parse_standards("flaw name\n etsi: 5.5-1 | first\n cwe: 297 | x\n"
                                                "flaw usage\n etsi: 5.5-1 | second\n cwe: 295 | x\n"
                                                "layer https\n cwe: 295 | x\n cra: I.1.2(c) | x\n");
  const struct gauntlet_case both = {.flaws = 1u << CASE_FLAW_NAME | 1u << CASE_FLAW_USAGE},
                             none = {.flaws = 0};
  struct gauntlet_case update = both;
  update.layer = CASE_HTTPS;
  const struct standards_clause *out[8] = {NULL};
  assert_int_equal(standards_of(standards, &none, out, 8), 0);
  assert_int_equal(standards_of(standards, &both, out, 8), 3);
  assert_string_equal(out[0]->sentence, "first");
  assert_string_equal(out[1]->clause, "297");
  assert_string_equal(out[2]->clause, "295");
  assert_int_equal(standards_of(standards, &update, out, 8), 4);
  assert_string_equal(out[3]->clause, "I.1.2(c)");
  out[2] = NULL;
  assert_true(standards_of(standards, &both, out, 2) >=
              3); /* there are more than it has room for */
  assert_null(out[2]);
  free(standards);
}

static bool has_body(const struct standards_clause **clause, size_t count, enum standards_body body)
{
  for (size_t i = 0; i < count; i++)
    if (clause[i]->body == body) return true;
  return false;
}

static struct cases *load_cases(void)
{
  struct cases *cases = cases_load(FLEETSIM_SOURCE_DIR "/certs/chains.txt", why, sizeof why);
  if (cases == NULL) fail_msg("chains.txt: %s", why);
  if (cases_add(cases, FLEETSIM_SOURCE_DIR "/certs/manners.txt", why, sizeof why) != 0)
    fail_msg("manners.txt: %s", why);
  return cases;
}

static void every_flaw_of_every_case_is_mapped(void **state)
{
  (void) state;
  struct standards *standards = load_ours();
  struct cases *cases = load_cases();
  unsigned used = 0;
  for (size_t i = 0; i < cases->count; i++) used |= cases->item[i]->flaws;
  for (int i = 0; i < CASE_FLAW_COUNT; i++)
    if (used & 1u << i && standards->flaw[i].count == 0)
      fail_msg("standards.txt has no block 'flaw %s'", case_flaw_word((enum case_flaw) i));
  for (size_t i = 0; i < cases->count; i++) {
    const struct standards_clause *out[64];
    size_t count = standards_of(standards, cases->item[i], out, 64);
    assert_true(count <= 64);
    if (cases->item[i]->clients != CASE_REFUSE) continue;
    if (!has_body(out, count, STANDARDS_ETSI) || !has_body(out, count, STANDARDS_CRA) ||
        !has_body(out, count, STANDARDS_CWE))
      fail_msg("case %s is mapped to no provision of ETSI, no point of the CRA or no CWE",
               cases->item[i]->id);
  }
  cases_free(cases);
  free(standards);
}

/* 5.5-1, or 5.13-1 / 5.13-1B */
static bool is_provision(const char *text)
{
  unsigned section, number;
  int n = 0;
  if (sscanf(text, "5.%2u-%2u%n", &section, &number, &n) != 2) return false;
  if (section < 1 || section > 13 || number < 1 || number > 16) return false;
  return text[n] == '\0' || strcmp(text, "5.13-1 / 5.13-1B") == 0;
}

/* I.1.2(a) to I.1.2(m), I.2.1 to I.2.8 */
static bool is_annex_point(const char *text)
{
  if (strncmp(text, "I.1.2(", 6) == 0)
    return text[6] >= 'a' && text[6] <= 'm' && strcmp(text + 7, ")") == 0;
  return strncmp(text, "I.2.", 4) == 0 && text[4] >= '1' && text[4] <= '8' && text[5] == '\0';
}

static bool is_number(const char *text)
{
  return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static void look_at(const struct standards_block *block)
{
  for (size_t i = 0; i < block->count; i++) {
    const struct standards_clause *clause = &block->clause[i];
    bool well_formed = clause->body == STANDARDS_ETSI  ? is_provision(clause->clause)
                       : clause->body == STANDARDS_CRA ? is_annex_point(clause->clause)
                       : clause->body == STANDARDS_CWE ? is_number(clause->clause)
                                                       : true;
    if (!well_formed)
      fail_msg("%s has no clause '%s'", standards_title(clause->body), clause->clause);
    size_t size = strlen(clause->sentence);
    if (clause->sentence[size - 1] == '.') fail_msg("a full stop: %s", clause->sentence);
  }
}

static void every_clause_is_one_that_its_standard_can_have(void **state)
{
  (void) state;
  struct standards *standards = load_ours();
  for (int i = 0; i < CASE_FLAW_COUNT; i++) look_at(&standards->flaw[i]);
  for (int i = 0; i <= CASE_HTTPS; i++) look_at(&standards->layer[i]);
  free(standards);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_block_is_found_by_its_word),
      cmocka_unit_test(what_it_does_not_understand_is_refused_with_its_line),
      cmocka_unit_test(a_word_has_no_more_clauses_than_there_is_room_for),
      cmocka_unit_test(a_file_that_is_not_there_is_an_error),
      cmocka_unit_test(a_case_has_the_clauses_of_its_flaws_and_its_layer_each_once),
      cmocka_unit_test(every_flaw_of_every_case_is_mapped),
      cmocka_unit_test(every_clause_is_one_that_its_standard_can_have),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
