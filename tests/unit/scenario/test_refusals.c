/* What is wrong in a scenario is said at its place: one row per mistake. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load_text.h"

struct refusal {
  const char *sentence; /* the test's name */
  const char *text;
  const char *says; /* the beginning of the error */
};

#define HEAD         "name: t\nfleet: {devices: 9}\npki: {roots: [A, B, spare]}\n"
#define TAIL         "phases:\n  - name: p\n    do: [connect: {}]\n"
#define DO(steps)    HEAD "phases:\n  - name: p\n    do:\n      - connect: {}\n      - " steps "\n"
#define GATE(expr)   HEAD "phases:\n  - name: p\n    do: [connect: {}]\n    until: " expr "\n"
#define REMOTE(more) "targets: [far.example]\nbroker: {url: mqtts://far.example:8883" more "}\n"

/* the step is in line 9 */
#define NOBODY(step) \
  HEAD "operator: none\nphases:\n  - name: p\n    do:\n      - connect: {}\n      - " step "\n"

#define CREDENTIALS(more) "name: t\nfleet: {devices: 9, credentials: {" more "}}\n"
#define BARE              CREDENTIALS("password: x") "device: {certificate: no}\n"

#define OTA(head, steps) \
  HEAD "ota: {" head "}\nphases:\n  - name: p\n    do:\n      - connect: {}\n      - " steps "\n"
#define PUBLISH(more) "ota.publish: {image: v2, version: 1.1.0" more "}"
#define ROLLOUT(more) PUBLISH("") "\n      - ota.rollout: {image: v2, " more "}"

#define NEXT            "\n      - "
#define EIGHT(text)     text text text text text text text text
#define SAYS(telemetry) "name: t\nfleet: {devices: 9, telemetry: {" telemetry "}}\n" TAIL
#define EIGHT_STORMS    EIGHT("storm: {}" NEXT)
#define EIGHT_ROLLOUTS  EIGHT("ota.rollout: {image: v2}" NEXT)

/* clang-format off */
static const struct refusal refusals[] = {
  /* the text */
  {"refuses_an_empty_file", "", "F:1:1: the file is empty"},
  {"refuses_broken_yaml", "name: [x\nfleet: }\n", "F:2:"},
  {"refuses_latin_1", "name: caf\xe9\n", "F:1:10: this is not UTF-8 text: "},
  {"refuses_a_noncharacter_that_is_utf8", "name: x\xef\xbf\xbe\n", "F:1:8: the character U+FFFE is none that YAML allows: remove it"},
  {"refuses_a_control_character", "name: x\x01\n", "F:1:8: the character U+0001 is none that YAML allows: remove it"},
  {"refuses_a_byte_order_mark", "\xef\xbb\xbfname: t\n", "F:1:1: the file begins with a byte order mark"},
  {"refuses_aliases", "name: &n x\nseed: *n\n", "F:1:7: a scenario has no YAML anchors"},
  {"refuses_an_alias_to_nothing", "name: *n\n", "F:1:7: a scenario has no YAML aliases"},
  {"refuses_tags", "name: !!str x\n", "F:1:7: a scenario has no YAML anchors (&name) or tags"},
  {"refuses_a_second_document", "name: x\n---\nname: y\n", "F:2:1: a second document"},
  {"refuses_deep_nesting", "name: [[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]\n", "F:1:18: this is nested too deeply"},
  {"refuses_a_list_as_scenario", "- name\n", "F:1:1: the scenario must be a mapping"},
  /* who clients say they are */
  {"refuses_two_kinds_of_password", CREDENTIALS("password: x, password-file: y") TAIL, "F:2:63: a device has one password, by 'password' or by 'password-file': remove one"},
  {"refuses_a_user_name_that_is_no_template", CREDENTIALS("user: 'a{', password: x") TAIL, "F:2:41: 'a{', character 2: a '{' without its '}'"},
  {"refuses_a_password_that_is_no_template", CREDENTIALS("password: 'pw {index'") TAIL, "F:2:45: 'pw {index', character 4: a '{' without its '}': a brace that is meant is written twice, '{{'"},
  {"refuses_a_local_broker_that_goes_by_names_alone", CREDENTIALS("user: x") TAIL, "F:2:34: a local broker lets nobody in by a user name alone: add 'password'"},
  {"refuses_a_token_beside_a_password", CREDENTIALS("password: x, token-file: y") TAIL, "F:2:60: a device has one password, by 'password' or by 'token-file': remove one"},
  {"refuses_a_path_of_tokens_that_is_no_template", CREDENTIALS("token-file: 'a{'") TAIL, "F:2:47: 'a{', character 2: a '{' without its '}'"},
  {"refuses_to_renew_what_is_no_token", CREDENTIALS("password: x, renew-before: 5s") TAIL, "F:2:62: a token alone is renewed: add 'token-file', or remove this"},
  {"refuses_to_renew_as_late_as_that", CREDENTIALS("token-file: x, renew-before: 5ms") TAIL, "F:2:64: '5ms' is out of range"},
  {"refuses_a_hook_that_renews_nothing", HEAD REMOTE(", hooks: {renew-token: ./new}") TAIL, "F:5:62: no device has a token that could be renewed: add 'credentials: {token-file: tokens/{id}}' to 'fleet'"},
  {"refuses_to_expect_of_tokens_that_there_are_not", HEAD TAIL "expect: [token.expired_accepts == 0]\n", "F:7:10: no device of this scenario has a token: add 'credentials: {token-file: tokens/{id}}' to 'fleet'"},
  {"refuses_credentials_behind_a_terminator", CREDENTIALS("password: x") "broker: {terminator: {crl: live}}\n" TAIL, "F:2:34: a terminator and the broker behind it know clients by their certificates only: remove 'broker.terminator'"},
  {"refuses_credentials_over_a_bridge", CREDENTIALS("password: x") "broker: {nodes: [a, b], bridge: yes}\n" TAIL, "F:2:34: bridged brokers know clients by their certificates only: remove 'broker.bridge'"},
  {"refuses_a_local_broker_that_asks_for_nothing", HEAD "device: {certificate: no}\n" TAIL, "F:4:23: devices without a certificate need a name and a password for a local broker: add 'credentials: {password: ...}' to 'fleet'"},
  {"refuses_an_operator_of_a_local_broker", HEAD "operator: {user: x}\n" TAIL, "F:4:11: a local broker is the run's own, and so is its operator: remove this, or write 'operator: none'"},
  {"refuses_a_word_for_an_operator", HEAD "operator: nobody\n" TAIL, "F:4:11: 'operator' must be 'none', or a mapping: write '{key: value}'"},
  {"refuses_a_list_for_an_operator", HEAD "operator: [none]\n" TAIL, "F:4:11: 'operator' must be a mapping"},
  {"refuses_an_unknown_key_of_the_operator", HEAD REMOTE("") "operator: {clientid: x}\n" TAIL, "F:6:12: unknown key 'clientid' in operator; did you mean 'client-id'?"},
  {"refuses_a_value_of_the_operator_that_is_no_text", HEAD REMOTE("") "operator: {user: [x]}\n" TAIL, "F:6:18: 'user' must be a single value, not a list or mapping"},
  /* what nobody does or hears without a back office */
  {"refuses_to_push_trust_with_nobody", NOBODY("push-trust: {roots: [A, B]}"), "F:9:9: 'push-trust' is done by the back office, and this run has none: remove it, or 'operator: none'"},
  {"refuses_to_reissue_with_nobody", NOBODY("reissue: {root: B}"), "F:9:9: 'reissue' is done by the back office, and this run has none"},
  {"refuses_to_trespass_with_nobody", NOBODY("trespass: {share: 5%}"), "F:9:9: 'trespass' is done by the back office, and this run has none"},
  {"refuses_a_rollout_by_nobody", HEAD "operator: none\nota: {}\nphases:\n  - name: p\n    do:\n      - connect: {}\n      - " ROLLOUT("waves: [100%]") "\n", "F:11:9: 'ota.rollout' is done by the back office, and this run has none"},
  {"refuses_an_abort_by_nobody", HEAD "operator: none\nota: {}\nphases:\n  - name: p\n    do:\n      - connect: {}\n      - ota.abort: {}\n", "F:10:9: 'ota.abort' is done by the back office, and this run has none"},
  {"refuses_a_gate_that_nobody_acknowledges", HEAD "operator: none\nphases:\n  - name: p\n    do: [connect: {}]\n    until: trusting(A) == 100%\n", "F:8:12: 'trusting' is not known in this run: nobody but the back office could, and it has none. Remove this, or 'operator: none'"},
  {"refuses_a_gate_of_reports_to_nobody", HEAD "operator: none\nota: {}\nphases:\n  - name: p\n    do: [connect: {}]\n    until: reported(confirmed) == 0\n", "F:9:12: 'reported' is not known in this run"},
  {"refuses_a_brake_of_what_nobody_hears", HEAD "operator: none\nbrake: {when: telemetry.lost > 3, rate: 50%}\n" TAIL, "F:5:15: 'telemetry.lost' is not known in this run"},
  {"refuses_an_expectation_of_what_nobody_hears", HEAD "operator: none\n" TAIL "expect: [telemetry.lost == 0]\n", "F:8:10: 'telemetry.lost' is not known in this run: nobody but the back office could, and it has none. Remove this or write of telemetry.acked or telemetry.unacked, or 'operator: none'"},
  {"refuses_a_time_that_nobody_takes", HEAD "operator: none\n" TAIL "expect: [telemetry.latency_ms.p99 < 1s]\n", "F:8:10: 'telemetry.latency_ms.p99' is not known in this run"},
  {"refuses_a_count_of_what_nobody_hears", HEAD "operator: none\n" TAIL "expect: [telemetry.unnumbered > 0]\n", "F:8:10: 'telemetry.unnumbered' is not known in this run"},
  {"refuses_an_operator_that_has_no_topics", HEAD "topics: {control: none}\n" TAIL, "F:4:19: the back office speaks to devices there: give it a topic, or remove it for the default, or add 'operator: none'"},
  {"refuses_a_will_that_has_no_topic", HEAD "operator: none\ntopics: {control: none}\ndevice: {will: yes}\n" TAIL, "F:6:16: a will lies behind 'topics.control', which is none"},
  {"refuses_updates_that_have_no_topic", HEAD "operator: none\ntopics: {control: none}\nota: {}\n" TAIL, "F:6:6: devices tell of updates behind 'topics.control', which is none"},
  {"refuses_to_expect_an_operator_that_there_is_not", HEAD "operator: none\n" TAIL "expect: [operator.losses == 0]\n", "F:8:10: 'operator.losses' is not known in this run"},
  {"refuses_an_operator_with_a_password_and_no_name", HEAD REMOTE("") "operator: {password-file: p}\n" TAIL, "F:6:27: a password needs a user name: add 'user' beside 'password-file'"},
  {"refuses_to_reissue_what_nobody_shows", BARE "phases:\n  - name: p\n    do:\n      - connect: {}\n      - reissue: {root: B}\n", "F:8:9: 'reissue' is about certificates of devices, and they show none: remove it, or 'certificate: no' of 'device'"},
  {"refuses_to_revoke_what_nobody_shows", BARE "phases:\n  - name: p\n    do:\n      - connect: {}\n      - revoke: {share: 5%}\n", "F:8:9: 'revoke' is about certificates of devices, and they show none"},
  {"refuses_a_list_of_what_nobody_shows", BARE "phases:\n  - name: p\n    do:\n      - connect: {}\n      - publish-crl: {}\n", "F:8:9: 'publish-crl' is about certificates of devices, and they show none"},
  {"refuses_roots_of_what_nobody_shows", BARE "phases:\n  - name: p\n    do:\n      - connect: {}\n      - trust-clients: {roots: [A]}\n", "F:8:9: 'trust-clients' is about certificates of devices, and they show none"},
  {"refuses_a_gate_of_what_nobody_shows", BARE "phases:\n  - name: p\n    do: [connect: {}]\n    until: identified(A) == 100%\n", "F:7:12: 'identified' is about certificates of devices, and they show none"},
  {"refuses_an_expectation_of_what_nobody_shows", BARE TAIL "expect: [revoke.unrefused == 0]\n", "F:7:10: 'revoke.unrefused' is about certificates of devices, and they show none"},
  {"refuses_an_operator_with_half_a_certificate", HEAD REMOTE("") "operator: {cert: c.crt}\n" TAIL, "F:6:18: a certificate and its key come together: add 'key' beside 'cert'"},
  {"refuses_an_operator_with_the_other_half", HEAD REMOTE("") "operator: {key: c.key}\n" TAIL, "F:6:17: a certificate and its key come together: add 'cert' beside 'key'"},
  {"refuses_a_key_of_no_certificate", HEAD REMOTE("") "operator: {cert: none, key: c.key}\n" TAIL, "F:6:29: 'cert: none' shows no certificate, so there is no key: remove this"},
  {"refuses_an_operator_at_no_address", HEAD REMOTE("") "operator: {url: far.example}\n" TAIL, "F:6:17: 'far.example' is no address of a broker: it does not begin with mqtts://"},
  {"refuses_an_operator_beyond_the_targets", HEAD REMOTE("") "operator: {url: mqtts://other.example:8883}\n" TAIL, "F:6:17: nothing was sent: 'other.example' is beyond this machine and not among the targets"},
  {"refuses_a_server_name_of_a_local_broker", HEAD "broker: {server-name: mqtt.example}\n" TAIL, "F:4:23: a local broker has its name from the run"},
  {"refuses_a_server_name_that_is_none", HEAD REMOTE(", server-name: a_b") TAIL, "F:5:54: 'a_b' has a host name with an underscore"},
  /* keys */
  {"refuses_a_missing_name", "fleet: {devices: 9}\n" TAIL, "F:1:1: the scenario has no 'name'"},
  {"refuses_a_missing_fleet", "name: x\n" TAIL, "F:1:1: the scenario has no 'fleet'"},
  {"refuses_a_fleet_of_unknown_size", "name: x\nfleet: {profile: y}\n" TAIL, "F:2:8: fleet has no 'devices'"},
  {"refuses_a_missing_list_of_phases", HEAD, "F:1:1: the scenario has no 'phases'"},
  {"refuses_no_phases", HEAD "phases: []\n", "F:4:9: 'phases' has 0 entries; it must have 1 to 200"},
  {"names_the_nearest_known_key", DO("push-trust: {roots: [A, B], wave: [100%]}"), "F:8:37: unknown key 'wave' in push-trust; did you mean 'waves'?"},
  {"names_the_nearest_step", DO("conect: {}"), "F:8:9: unknown key 'conect' in a step; did you mean 'connect'?"},
  {"lists_the_keys_when_none_is_near", HEAD "limits: {bananas: 3}\n" TAIL, "F:4:10: unknown key 'bananas' in limits; it may have run"},
  {"says_which_keys_a_step_may_have", DO("reload-broker: {hard: yes}"), "F:8:25: unknown key 'hard' in reload-broker; it may have node"},
  {"refuses_a_key_of_another_step", DO("wake: {share: 5%}"), "F:8:16: unknown key 'share' in wake; "},
  {"refuses_a_key_twice", HEAD "seed: 1\nseed: 2\n" TAIL, "F:5:1: 'seed' appears twice in the scenario"},
  {"refuses_a_key_that_is_a_list", HEAD "[a]: 1\n" TAIL, "F:4:1: a key must be a plain word"},
  {"refuses_a_scalar_for_a_mapping", HEAD "limits: 5m\n" TAIL, "F:4:9: 'limits' must be a mapping"},
  {"refuses_a_step_without_braces", DO("wake:"), "F:8:14: 'wake' must be a mapping: write '{key: value}', or '{}'"},
  {"refuses_a_scalar_for_a_list", HEAD "expect: devices.lost == 0\n" TAIL, "F:4:9: 'expect' must be a list"},
  {"refuses_a_list_for_a_scalar", HEAD "seed: [1]\n" TAIL, "F:4:7: 'seed' must be a single value"},
  {"refuses_an_empty_value", HEAD "seed:\n" TAIL, "F:4:6: 'seed' must be given a value"},
  {"lists_every_step_when_none_is_near", DO("bananas: {}"), "F:8:9: unknown key 'bananas' in a step; it may have connect, telemetry, drain, push-trust, prove, present, revoke-broker, trust-clients, reload-broker, restart-broker, kill-broker, stop-broker, freeze-broker, thaw-broker, start-broker, resolve, reconnect, reissue, shelf, wake, clock, trespass, reconnect-policy, fault, mend, revoke, unrevoke, publish-crl, kick, compromise, storm, ota.publish, ota.rollout, ota.pause, ota.resume, ota.abort, power-cut, corrupt, cdn, wait and prompt"},
  {"refuses_two_steps_in_one", DO("{drain: {}, wake: {}}"), "F:8:9: a step has exactly one key, this one has 2"},
  {"refuses_a_step_of_nothing", DO("{}"), "F:8:9: a step has exactly one key, this one has 0"},
  /* numbers and units */
  {"refuses_no_devices", "name: t\nfleet: {devices: 0}\n" TAIL, "F:2:18: '0' is out of range: 'devices' is a number from 1 to 1000000"},
  {"refuses_more_than_a_million_devices", "name: t\nfleet: {devices: 1000001}\n" TAIL, "F:2:18: '1000001' is out of range"},
  {"refuses_a_number_that_wraps_around", "name: t\nfleet: {devices: 18446744073709551617}\n" TAIL, "F:2:18: "},
  {"refuses_a_negative_number", HEAD "seed: -1\n" TAIL, "F:4:7: '-1' is not a whole number"},
  {"refuses_a_duration_without_unit", DO("drain: {within: 30}"), "F:8:25: '30' has no unit: write 30s, 500ms or 2m"},
  {"refuses_a_rate_without_unit", DO("wake: {rate: 5}"), "F:8:22: '5' has no unit: write 200/s"},
  {"refuses_more_than_everybody", DO("shelf: {share: 101%}"), "F:8:24: '101%' is above 100%"},
  {"refuses_nobody", DO("shelf: {share: 0%}"), "F:8:24: '0%' is nobody"},
  {"refuses_a_step_for_nobody_in_particular", DO("shelf: {}"), "F:8:16: this step needs devices: write 'share: 5%'"},
  {"refuses_a_policy_for_an_unknown_cohort", HEAD "reconnect: {policy: fixed, cohorts: [{cohort: eu}]}\n" TAIL, "F:4:47: there is no cohort 'eu'"},
  {"refuses_two_policies_for_one_cohort", "name: t\nfleet: {devices: 9, cohorts: [{name: a, share: 60%}]}\nreconnect: {cohorts: [{cohort: a}, {cohort: a, base: 2s}]}\n" TAIL, "F:3:45: cohort 'a' has its policy above already"},
  {"refuses_a_brake_without_a_rate", HEAD "brake: {when: connect.failed > 40}\n" TAIL, "F:4:8: brake has no 'rate'"},
  {"refuses_a_brake_that_brakes_nobody", HEAD "brake: {when: connect.failed > 40, rate: 100%}\n" TAIL, "F:4:42: a brake that lets everybody start is none"},
  {"refuses_a_brake_on_what_is_unknown", HEAD "brake: {when: panic > 40, rate: 50%}\n" TAIL, "F:4:15: 'panic' is no quantity and no metric"},
  {"refuses_a_brake_that_waits", HEAD "brake: {when: connect.failed > 40 within 5s, rate: 50%}\n" TAIL, "F:4:15: "},
  {"refuses_a_storm_before_anybody_is_online", HEAD "phases:\n  - name: p\n    do: [storm: {}, connect: {}]\n", "F:6:10: 'storm' comes before any device is online"},
  {"refuses_a_storm_of_an_unknown_policy", DO("storm: {policy: calm}"), "F:8:25: 'calm' is no value of 'policy'"},
  {"refuses_an_unknown_policy_of_a_step", DO("reconnect-policy: {policy: never}"), "F:8:36: 'never' is no value of 'policy'"},
  {"refuses_a_cap_below_the_base_of_a_step", DO("reconnect-policy: {base: 9s, cap: 8s}"), "F:8:43: 'cap' is below 'base'"},
  {"refuses_an_unknown_cohort", DO("shelf: {cohort: eu}"), "F:8:25: there is no cohort 'eu'; name it in fleet.cohorts"},
  {"refuses_a_name_that_no_device_can_have", DO("shelf: {ids: [SN-00000000000000000000000000000000000000000000000000000000000000]}"), "F:8:23: 'SN-0000000000000000000000000000000000000' is no device's name: 1 to 64 characters"},
  {"refuses_a_device_that_is_named_twice", DO("shelf: {ids: [SN-1, sn-1, SN-1]}"), "F:8:35: device SN-1 is named twice"},
  {"refuses_a_device_that_is_named_twice_in_two_cases", DO("shelf: {ids: [0000002a, 0000002A]}"), "F:8:33: device 0000002A is named twice"},
  {"refuses_ids_and_a_share", DO("shelf: {ids: [0000002a], share: 5%}"), "F:8:22: 'ids' names the devices one by one"},
  {"refuses_cohorts_of_more_than_everybody", "name: t\nfleet: {devices: 9, cohorts: [{name: a, share: 60%}, {name: b, share: 41%}]}\n" TAIL, "F:2:71: with this one the cohorts are more than 100%"},
  {"refuses_two_cohorts_of_one_name", "name: t\nfleet: {devices: 9, cohorts: [{name: a, share: 6%}, {name: a, share: 4%}]}\n" TAIL, "F:2:60: there are two cohorts 'a'"},
  {"refuses_a_cohort_without_a_name", "name: t\nfleet: {devices: 9, cohorts: [{name: \"a b\", share: 6%}]}\n" TAIL, "F:2:38: 'a b' is no cohort's name"},
  {"refuses_a_name_that_is_the_same_for_all", "name: t\nfleet: {devices: 9, names: SN-1}\n" TAIL, "F:2:28: 'SN-1' is the same for all devices: let {index} be in it"},
  {"refuses_a_name_by_what_a_new_device_has_not", "name: t\nfleet: {devices: 9, names: \"{cn}-{index}\"}\n" TAIL, "F:2:28: '{cn}-{index}', character 1: {cn} is not known here"},
  {"refuses_a_name_that_no_device_can_have_at_its_end", "name: t\nfleet: {devices: 100, names: \"sixty-three-letters-are-too-much-for-what-has-a-hundred-and-more-{index}\"}\n" TAIL, "F:2:30: 'sixty-three-letters-are-too-much-for-wha...' has 67 characters"},
  {"refuses_a_name_with_a_slash", "name: t\nfleet: {devices: 9, names: \"a/{index}\"}\n" TAIL, "F:2:28: 'a/8' is no name of a device: its character number 2"},
  {"refuses_a_client_id_that_is_the_same_for_all", "name: t\nfleet: {devices: 9, client-id: \"{cohort}\"}\n" TAIL, "F:2:32: the client id '{cohort}' is the same for all devices"},
  {"refuses_a_topic_with_a_wildcard", "name: t\nfleet: {devices: 9}\ntopics: {telemetry: \"a/{id}/#\"}\n" TAIL, "F:3:21: the telemetry topic 'a/{id}/#', character 8: a topic has no '#'"},
  {"refuses_a_control_topic_without_its_end", "name: t\nfleet: {devices: 9}\ntopics: {control: \"a/{id}\"}\n" TAIL, "F:3:19: the control topic 'a/{id}' does not end with '/'"},
  {"refuses_a_brace_that_is_open", "name: t\nfleet: {devices: 9}\ntopics: {control: \"a/{id/\"}\n" TAIL, "F:3:19: the control topic: 'a/{id/', character 3: a '{' without its '}'"},
  {"refuses_a_third_topic", "name: t\nfleet: {devices: 9}\ntopics: {events: \"a/{id}\"}\n" TAIL, "F:3:10: unknown key 'events' in topics; it may have telemetry and control"},
  {"refuses_a_quality_of_service_3", "name: t\nfleet: {devices: 9, telemetry: {qos: 3}}\n" TAIL, "F:2:38: '3' is out of range: 'qos'"},
  {"refuses_telemetry_too_small_for_its_number", "name: t\nfleet: {devices: 9, telemetry: {bytes: 15}}\n" TAIL, "F:2:40: '15' is out of range"},
  {"refuses_telemetry_above_1_kib", DO("telemetry: {bytes: 1025}"), "F:8:28: '1025' is out of range"},
  /* payloads */
  {"refuses_a_place_that_payloads_do_not_have", SAYS("payload: '{\"a\":{sequence}}'"), "F:2:48: there is no such place: {seq}, {unix_ms}, {id}, {counter} and {random:A..B}"},
  {"refuses_it_in_a_block_at_its_line", "name: t\nfleet:\n  devices: 9\n  telemetry:\n    payload: |\n      {\"a\":1,\n       \"b\":{sequence}}\n" TAIL, "F:7:12: there is no such place"},
  {"refuses_chance_without_a_range", SAYS("payload: 'x{random:5}'"), "F:2:44: {random:A..B} takes two numbers"},
  {"refuses_an_empty_payload", SAYS("payload: ''"), "F:2:42: 'payload' must be given a value"},
  {"refuses_a_payload_that_may_grow_too_large", "name: t\nfleet: {devices: 9, telemetry: {payload: 'x{id}" EIGHT(EIGHT("0123456789abcde")) "'}}\n" TAIL, "F:2:42: a message of it may have 1025 bytes"},
  {"refuses_a_payload_beyond_1_kib", SAYS("payload: 'x" EIGHT(EIGHT("0123456789abcdef")) "'"), "F:2:42: a payload has at most 1024 bytes, this one 1025"},
  {"refuses_a_size_beside_a_payload", SAYS("bytes: 64, payload: x"), "F:2:40: 'bytes' is of the binary message"},
  {"refuses_a_number_where_the_message_is_binary", SAYS("seq-at: $.seq"), "F:2:41: the binary message has its own number and time: 'seq-at'"},
  {"refuses_a_path_that_leads_elsewhere", SAYS("payload: '{\"n\":{seq}}', seq-at: $.m"), "F:2:65: '$.m' does not lead to {seq}"},
  {"refuses_a_path_that_is_none", SAYS("payload: '{\"n\":{seq}}', seq-at: '$.['"), "F:2:65: a key is missing"},
  {"refuses_a_path_where_nothing_is_json", SAYS("payload: 'n={seq}', seq-at: $.n"), "F:2:61: a path needs a payload that is JSON"},
  {"refuses_a_payload_whose_file_is_not_there", SAYS("payload: '@nowhere.json'"), "F:2:42: "},
  {"refuses_what_messages_without_a_number_cannot_tell", SAYS("payload: 'x'") "expect: [telemetry.lost == 0]\n", "F:6:10: 'telemetry.lost' is not known in this run: a payload without 'seq-at'"},
  {"refuses_it_where_a_step_brings_them", HEAD "phases:\n  - name: p\n    do: [connect: {}]\n    until: telemetry.delivered > 3\n  - name: q\n    do: [telemetry: {payload: x}]\n", "F:7:12: 'telemetry.delivered' is not known in this run"},
  {"refuses_a_latency_of_messages_without_a_time", SAYS("payload: 'n={seq}', seq-at: n=") "expect: [telemetry.latency_ms.p99 < 1s]\n", "F:6:10: 'telemetry.latency_ms.p99' is not known in this run: a payload without 'time-at'"},
  /* what is counted when all of it is over */
  {"refuses_a_gate_of_what_the_end_alone_tells", HEAD "phases:\n  - name: p\n    do: [connect: {}]\n    until: telemetry.lost == 0\n", "F:7:12: 'telemetry.lost' is counted when the run is over and all messages have had time to arrive: move this to the scenario's own 'expect', behind the phases"},
  {"refuses_to_expect_it_of_a_phase", HEAD "phases:\n  - name: p\n    do: [connect: {}]\n    expect: [online == 100%, telemetry.unaccounted == 0]\n", "F:7:30: 'telemetry.unaccounted' is counted when the run is over"},
  {"refuses_a_brake_of_it", HEAD "brake: {when: telemetry.lost_acked > 3, rate: 50%}\n" TAIL, "F:4:15: 'telemetry.lost_acked' is counted when the run is over"},
  {"refuses_an_unknown_tls_version", HEAD "device: {tls: 1.1}\n" TAIL, "F:4:15: '1.1' is no value of 'tls': write 1.2, 1.3 or 1.2-1.3"},
  {"refuses_unknown_crypto", HEAD "device: {crypto: fast}\n" TAIL, "F:4:18: 'fast' is no value of 'crypto': write accelerated or native"},
  {"refuses_a_record_smaller_than_a_chain", HEAD "device: {record: 2KiB}\n" TAIL, "F:4:18: '2KiB' is out of range: a device's buffer for a record is from 4KiB to 16KiB"},
  {"refuses_a_record_larger_than_tls_has", HEAD "device: {record: 17KiB}\n" TAIL, "F:4:18: '17KiB' is out of range"},
  {"refuses_maybe", HEAD "device: {will: maybe}\n" TAIL, "F:4:16: 'maybe' is neither yes nor no"},
  {"refuses_a_cap_below_the_base", HEAD "reconnect: {base: 2s, cap: 1s}\n" TAIL, "F:4:28: 'cap' is below 'base'"},
  {"refuses_an_unknown_policy", HEAD "reconnect: {policy: polite}\n" TAIL, "F:4:21: 'polite' is no value of 'policy'"},
  {"refuses_to_revoke_nobody_in_particular", DO("revoke: {}"), "F:8:17: this step needs devices"},
  {"refuses_a_reason_that_rfc_5280_lacks", DO("revoke: {share: 5%, reason: stolen}"), "F:8:37: 'stolen' is no reason of RFC 5280; use one of unspecified, keyCompromise"},
  {"refuses_a_next_update_without_unit", DO("publish-crl: {next-update: 7}"), "F:8:36: '7' has no unit"},
  {"refuses_a_crl_that_ends_before_it_begins", DO("publish-crl: {next-update: -2h, this-update: -1h}"), "F:8:36: the next update is not after this one"},
  {"refuses_entries_for_a_crl_from_a_file", DO("publish-crl: {file: x.pem, entries: 3}"), "F:8:29: a file is published as it is"},
  {"refuses_unchecked_without_a_file", DO("publish-crl: {unchecked: yes}"), "F:8:34: only a file can be unchecked"},
  {"refuses_a_crl_of_a_million_entries", DO("publish-crl: {entries: 1000000}"), "F:8:32: '1000000' is out of range"},
  {"refuses_a_second_compromise", DO("compromise: {share: 5%}\n      - compromise: {share: 5%}"), "F:9:9: a run has one 'compromise'"},
  {"refuses_a_day_that_is_none", DO("clock: {set: 1970-02-30T00:00:00Z}"), "F:8:22: '1970-02-30T00:00:00Z' is no day"},
  {"refuses_tickets_kept_elsewhere", HEAD "device: {resume: disk}\n" TAIL, "F:4:18: 'disk' is no value of 'resume': write no, ram, nvm or yes"},
  {"refuses_to_offer_no_ticket_anywhere", HEAD "device: {resume-anywhere: yes}\n" TAIL, "F:4:27: there is no ticket to offer"},
  /* revocation */
  {"refuses_an_unknown_policy_on_revocation", HEAD "device: {revocation: maybe}\n" TAIL, "F:4:22: 'maybe' is no value of 'revocation': write off, held or required"},
  {"refuses_to_revoke_what_a_broker_does_not_have", DO("revoke-broker: {what: root}"), "F:8:31: 'root' is no value of 'what': write leaf, intermediate or cross"},
  {"refuses_to_revoke_a_cross_certificate_that_is_not_served", DO("revoke-broker: {what: cross}"), "F:8:31: the broker presents no cross-certificate here: put a 'present' step with 'cross' above it"},
  {"refuses_to_revoke_an_intermediate_that_is_not_served", DO("present: {root: B, intermediate: no}\n      - revoke-broker: {what: intermediate}"), "F:9:31: the broker presents no intermediate here"},
  {"refuses_to_revoke_what_it_does_not_know", "name: t\nfleet: {devices: 9}\n" REMOTE("") "phases:\n  - name: p\n    do: [connect: {}, revoke-broker: {}]\n", "F:7:23: 'revoke-broker' does not know what a remote broker presents: put a 'present' step above it"},
  {"refuses_lists_by_number", DO("push-trust: {roots: [A, B], crls: 2}"), "F:8:43: '2' is neither yes nor no"},
  /* timing */
  {"refuses_an_unknown_timing_profile", HEAD "timing: {profile: cortex-m99}\n" TAIL, "F:4:19: there is no timing profile 'cortex-m99'; there are: "},
  {"refuses_a_timing_file_that_is_not_there", HEAD "timing: {profile: ./nowhere.json}\n" TAIL, "F:4:19: timing profile: "},
  {"refuses_a_pace_that_is_no_yes_or_no", HEAD "timing: {pace: slow}\n" TAIL, "F:4:16: 'slow' is neither yes nor no"},
  {"refuses_an_unknown_key_of_timing", HEAD "timing: {profil: x}\n" TAIL, "F:4:10: unknown key 'profil' in timing; did you mean 'profile'?"},
  {"refuses_timing_without_braces", HEAD "timing: mbedtls-3.6.7-Os\n" TAIL, "F:4:9: 'timing' must be a mapping"},
  {"refuses_a_handshake_timeout_without_unit", HEAD "broker: {handshake-timeout: 2}\n" TAIL, "F:4:29: '2' has no unit"},
  {"refuses_a_handshake_timeout_of_nothing", HEAD "broker: {handshake-timeout: 0s}\n" TAIL, "F:4:29: '0s' is out of range: 'handshake-timeout' is from 100ms to 60m"},
  {"refuses_a_handshake_timeout_on_a_given_port", HEAD "broker: {handshake-timeout: 2s, port: 8883}\n" TAIL, "F:4:29: with a handshake time-out or rate the run chooses the ports"},
  {"refuses_a_handshake_timeout_elsewhere", HEAD "targets: [far.example]\nbroker: {handshake-timeout: 2s, url: mqtts://far.example:8883}\n" TAIL, "F:5:29: a remote broker keeps its own handshake time-out"},
  {"refuses_a_handshake_rate_without_unit", HEAD "broker: {handshakes: 200}\n" TAIL, "F:4:22: "},
  {"refuses_a_handshake_rate_of_nothing", HEAD "broker: {handshakes: 0/s}\n" TAIL, "F:4:22: "},
  {"refuses_a_handshake_rate_on_a_given_port", HEAD "broker: {handshakes: 200/s, port: 8883}\n" TAIL, "F:4:22: with a handshake time-out or rate the run chooses the ports"},
  {"refuses_a_handshake_rate_elsewhere", HEAD "targets: [far.example]\nbroker: {handshakes: 20/s, url: mqtts://far.example:8883}\n" TAIL, "F:5:22: a remote broker is as fast as it is"},
  /* faults */
  {"refuses_a_fault_of_nothing", DO("fault: {share: 5%}"), "F:8:16: this fault does nothing: give it latency"},
  {"refuses_a_share_of_cuts_without_bytes", DO("fault: {cut: 20%}"), "F:8:22: 'cut' is the share of connections that 'cut-after' is for"},
  {"refuses_a_fault_that_is_switched_off", DO("fault: {black-hole: no}"), "F:8:16: this fault does nothing"},
  {"refuses_jitter_without_latency", DO("fault: {slice: 1, jitter: 5ms}"), "F:8:35: 'jitter' is above 'latency'"},
  {"refuses_jitter_above_latency", DO("fault: {latency: 5ms, jitter: 6ms}"), "F:8:39: 'jitter' is above 'latency'"},
  {"refuses_latency_in_a_black_hole", DO("fault: {black-hole: yes, latency: 5ms}"), "F:8:43: nothing passes a black hole, so 'latency' cannot show"},
  {"refuses_a_refusal_in_a_black_hole", DO("fault: {black-hole: yes, refuse: yes}"), "F:8:42: nothing passes a black hole, so 'refuse' cannot show"},
  {"refuses_a_reset_in_a_black_hole", DO("fault: {reset: yes, black-hole: yes}"), "F:8:24: nothing passes a black hole, so 'reset' cannot show"},
  {"refuses_latency_without_unit", DO("fault: {latency: 200}"), "F:8:26: '200' has no unit"},
  {"refuses_latency_of_an_hour", DO("fault: {latency: 1h}"), "F:8:26: '1h' is out of range: 'latency' is from 1ms to "},
  {"refuses_a_bandwidth_of_nothing", DO("fault: {bandwidth: 0}"), "F:8:28: '0' is out of range: 'bandwidth' is from 1 to "},
  {"refuses_a_bandwidth_as_a_rate", DO("fault: {bandwidth: 5/s}"), "F:8:28: "},
  {"refuses_a_slice_above_64_kib", DO("fault: {slice: 65KiB}"), "F:8:24: '65KiB' is out of range: 'slice' is from 1 to 65536"},
  {"refuses_a_reset_that_is_no_yes_or_no", DO("fault: {reset: now}"), "F:8:24: 'now' is neither yes nor no"},
  {"refuses_a_fault_of_an_unknown_cohort", DO("fault: {refuse: yes, cohort: moon}"), "F:8:38: there is no cohort 'moon'"},
  {"names_the_nearest_fault", DO("fault: {blackhole: yes}"), "F:8:17: unknown key 'blackhole' in fault; did you mean 'black-hole'?"},
  {"refuses_a_seventeenth_storm", DO(EIGHT_STORMS EIGHT_STORMS "storm: {}"), "F:24:9: a run has at most 16 storms"},
  {"refuses_to_mend_what_no_fault_broke", DO("mend: {}"), "F:8:9: 'mend' has nothing to mend: put a 'fault' step above it"},
  {"refuses_to_reset_what_is_not_open", HEAD "phases:\n  - name: p\n    do: [fault: {reset: yes}, connect: {}]\n", "F:6:10: there is no connection to reset yet"},
  {"refuses_another_kind_of_terminator", HEAD "broker: {terminator: {crl: reloaded}}\n" TAIL, "F:4:28: 'reloaded' is no value of 'crl': write live"},
  {"refuses_tickets_of_another_kind", HEAD "broker: {terminator: {tickets: stolen}}\n" TAIL, "F:4:32: 'stolen' is no value of 'tickets': write own or shared"},
  {"refuses_a_terminator_elsewhere", HEAD "targets: [far.example]\nbroker: {url: mqtts://far.example:8883, terminator: {}}\n" TAIL, "F:5:53: a terminator stands before a local broker only"},
  {"refuses_a_terminator_for_too_many", "name: t\nfleet: {devices: 8001}\nbroker: {terminator: {}}\n" TAIL, "F:3:22: the terminator takes up to 8000 devices, and the fleet has 8001"},
  /* roots and waves */
  {"refuses_an_unknown_root_and_lists_the_known", DO("present: {root: C}"), "F:8:25: 'C' is no root of this scenario; pki.roots has A, B and spare"},
  {"refuses_a_root_with_a_slash", "name: t\nfleet: {devices: 9}\npki: {roots: [../A, B]}\n" TAIL, "F:3:15: '../A' cannot name a root"},
  {"refuses_a_root_twice", "name: t\nfleet: {devices: 9}\npki: {roots: [A, A]}\n" TAIL, "F:3:18: root 'A' is listed twice"},
  {"refuses_to_teach_a_fleet_of_one_root", "name: t\nfleet: {devices: 9}\npki: {roots: [A]}\nphases:\n  - name: p\n    do: [connect: {}, push-trust: {roots: [A]}]\n", "F:6:43: a trust bundle needs at least two roots"},
  {"refuses_a_bundle_with_one_anchor", DO("push-trust: {roots: [B]}"), "F:8:29: a trust bundle needs at least two roots"},
  {"refuses_a_push_of_nothing", DO("push-trust: {}"), "F:8:21: this step needs roots: write 'roots: [A]'"},
  {"refuses_a_kick_of_nobody", DO("kick: {}"), "F:8:15: this step needs devices"},
  {"refuses_a_prompt_without_words", DO("prompt: {}"), "F:8:17: this step needs a text: write 'say: Swap the certificate'"},
  {"refuses_to_reissue_under_no_root", DO("reissue: {}"), "F:8:18: this step needs a root: write 'root: A'"},
  {"refuses_to_take_back_nothing", DO("unrevoke: {}"), "F:8:19: this step needs devices"},
  {"refuses_a_trespass_of_nobody", DO("trespass: {}"), "F:8:19: this step needs devices"},
  {"refuses_a_broker_that_trusts_nobody", DO("trust-clients: {}"), "F:8:24: this step needs roots: write 'roots: [A]'"},
  {"refuses_a_proof_of_nothing", DO("prove: {}"), "F:8:16: this step needs a root"},
  {"refuses_a_cross_certificate_by_oneself", DO("present: {root: B, cross: B}"), "F:8:35: 'cross' and 'root' are both 'B'"},
  {"refuses_a_key_without_its_chain", DO("present: {root: B, key: k.pem}"), "F:8:33: a key comes with its certificates: add 'chain: FILE'"},
  {"refuses_a_chain_without_a_key_for_our_own_broker", DO("present: {root: B, chain: c.pem}"), "F:8:35: a broker that fleetsim starts needs the chain's key: add 'key: FILE'"},
  {"refuses_to_change_a_chain_of_the_owners", DO("present: {root: B, chain: c, key: k, cross: A}"), "F:8:53: a chain of yours is presented as it is: leave 'cross' out"},
  {"refuses_to_revoke_a_chain_of_the_owners", DO("present: {root: B, chain: c, key: k}\n      - revoke-broker: {}"), "F:9:9: 'revoke-broker' is for a chain that fleetsim made"},
  {"refuses_two_sources_of_certificates", DO("reissue: {root: B, csv: a.csv, command: sign}"), "F:8:49: certificates come from a list or from a command: remove 'csv' or this"},
  {"refuses_to_expire_what_is_not_there", DO("present: {root: B, cross-expired: yes}"), "F:8:43: there is no cross-certificate to expire"},
  {"refuses_waves_that_do_not_ascend", DO("reconnect: {waves: [10%, 10%, 100%]}"), "F:8:34: waves must ascend: 10% does not exceed 10%"},
  {"refuses_waves_that_miss_devices", DO("reconnect: {waves: [10%, 99%]}"), "F:8:34: the last wave is 99%"},
  {"refuses_no_waves", DO("reconnect: {waves: []}"), "F:8:28: 'waves' has 0 entries; it must have 1 to 16"},
  {"refuses_an_empty_list_of_anchors", "name: t\nfleet: {devices: 9}\npki: {trusted: []}\n" TAIL, "F:3:16: 'trusted' has 0 entries; it must have 1 to 8"},
  /* expressions */
  {"points_into_an_expression", GATE("online => 3"), "F:7:19: a comparison is expected here"},
  {"points_into_a_quoted_expression", GATE("\"online => 3\""), "F:7:20: a comparison is expected here"},
  {"refuses_an_unknown_quantity", GATE("onlin >= 3"), "F:7:12: 'onlin' is no quantity and no metric"},
  {"refuses_an_unknown_root_in_a_gate", GATE("proven(C) == 100%"), "F:7:19: 'C' is no root of this scenario; pki.roots has A, B and spare"},
  {"refuses_a_quantity_without_its_root", GATE("proven == 100%"), "F:7:19: 'proven' needs a root: write 'proven(A)'"},
  {"refuses_an_unknown_reason", GATE("refused(boredom) == 100%"), "F:7:20: 'boredom' is no reason"},
  {"refuses_an_unknown_failure", GATE("failures(not_trusted) == 0"), "F:7:21: 'not_trusted' is no name of a failure"},
  {"refuses_a_metric_with_an_argument", GATE("connect.ok(B) == 0"), "F:7:12: the metric 'connect.ok' takes no argument"},
  {"refuses_a_count_against_a_time", GATE("connect.ok < 2s"), "F:7:12: 'connect.ok' is no time"},
  {"refuses_a_share_below_none", GATE("online >= 50% - 6"), "F:7:12: 50% of 9 devices less 6 is below none"},
  {"refuses_a_percentage_of_no_whole", GATE("connect.ok >= 5%"), "F:7:12: 'connect.ok' is no part of a whole"},
  {"refuses_an_unknown_set", GATE("proven(A) >= 5% of everybody"), "F:7:12: 'everybody' is no set of devices"},
  {"refuses_an_expectation_that_waits", HEAD TAIL "expect: [devices.lost == 0 within 3s]\n", "F:7:10: an expectation is judged once"},
  /* the story */
  {"refuses_two_phases_of_one_name", HEAD TAIL "  - name: p\n    do: [drain: {}]\n", "F:7:11: two phases are called 'p'"},
  {"refuses_a_phase_of_nothing", HEAD TAIL "  - name: q\n", "F:7:5: this phase does nothing"},
  {"refuses_a_scenario_that_connects_nobody", HEAD "phases:\n  - name: p\n    do: [wait: {for: 1s}]\n", "F:5:3: no phase connects the fleet"},
  {"refuses_a_wake_before_a_shelf", DO("wake: {}"), "F:8:9: 'wake' has nobody to wake"},
  {"refuses_a_push_before_a_connect", HEAD "phases:\n  - name: p\n    do: [push-trust: {roots: [A, B]}, connect: {}]\n", "F:6:10: 'push-trust' comes before any device is online"},
  /* brokers elsewhere */
  {"refuses_a_far_host_that_is_no_target", HEAD "broker: {url: mqtts://far.example:8883}\n" TAIL, "F:4:15: nothing was sent: 'far.example' is beyond this machine"},
  {"refuses_a_far_proving_host_that_is_no_target", HEAD REMOTE(", prove-url: mqtts://near.example:8884") TAIL, "F:5:52: nothing was sent: 'near.example' is beyond this machine"},
  {"refuses_a_host_that_only_looks_like_loopback", HEAD "broker: {url: mqtts://127.0.0.1.evil.example:8883}\n" TAIL, "F:4:15: nothing was sent: '127.0.0.1.evil.example' is beyond"},
  {"refuses_plain_mqtt", HEAD "broker: {url: mqtt://localhost:1883}\n" TAIL, "F:4:15: 'mqtt://localhost:1883' is no address of a broker"},
  {"refuses_a_url_without_port", HEAD "broker: {url: mqtts://localhost}\n" TAIL, "F:4:15: 'mqtts://localhost' is no address"},
  {"refuses_a_url_with_a_user", HEAD "broker: {url: mqtts://me@localhost:8883}\n" TAIL, "F:4:15: "},
  {"refuses_a_broker_both_near_and_far", HEAD "broker: {url: mqtts://localhost:8883, local: mosquitto}\n" TAIL, "F:4:46: a broker is either"},
  {"refuses_another_local_broker", HEAD "broker: {local: emqx}\n" TAIL, "F:4:17: 'emqx' is no value of 'local': write mosquitto"},
  {"refuses_two_listeners_on_one_port", HEAD "broker: {port: 8883, prove-port: 8883}\n" TAIL, "F:4:34: 'port' and 'prove-port' are the same"},
  {"refuses_a_far_proof_without_a_second_address", HEAD REMOTE("") "phases:\n  - name: p\n    do: [connect: {}, prove: {root: A}]\n", "F:8:23: 'prove' needs a second listener"},
  {"refuses_a_far_present_without_its_hook", HEAD REMOTE("") "phases:\n  - name: p\n    do: [connect: {}, present: {root: A}]\n", "F:8:23: 'present' needs the hook 'present'"},
  {"refuses_a_far_reload_without_its_hook", HEAD REMOTE(", hooks: {present: x}") "phases:\n  - name: p\n    do: [connect: {}, present: {root: A, apply: reload}]\n", "F:8:23: 'present' needs the hook 'reload'"},
  /* kinds of them */
  {"refuses_a_kind_that_nobody_knows", HEAD REMOTE(", kind: emqx") TAIL, "F:5:47: 'emqx' is no value of 'kind': write generic, mosquitto, rabbitmq or aedes"},
  {"refuses_a_kind_of_a_local_broker", HEAD "broker: {kind: mosquitto}\n" TAIL, "F:4:16: what kind of broker it is, is said of one that stands elsewhere"},
  {"refuses_a_version_of_nobody", HEAD REMOTE(", version: '2.0'") TAIL, "F:5:50: a version says something of a kind only"},
  {"refuses_a_version_that_is_a_word", HEAD REMOTE(", kind: rabbitmq, version: new") "device: {mqtt: 3.1.1}\n" TAIL, "F:5:66: 'new' is no version: write 3.10"},
  {"refuses_a_node_of_a_broker_that_has_none", HEAD REMOTE(", kind: mosquitto, node: rabbit@far") TAIL, "F:5:64: a broker of the kind 'mosquitto' has no 'node': remove this"},
  {"refuses_a_node_that_would_be_a_command", HEAD REMOTE(", kind: rabbitmq, node: \"a'; rm x'\"") TAIL, "F:5:63: 'a'; rm x'' may hold letters, digits and _ . @ / - only"},
  {"refuses_mqtt_5_where_an_old_rabbitmq_does_not_speak_it", HEAD REMOTE(", kind: rabbitmq") "device: {mqtt: 5}\n" TAIL, "F:6:16: devices would say MQTT 5, and RabbitMQ before 3.13 does not speak it: it closes the connection without CONNACK. Write 'device: {mqtt: 3.1.1}', or 'version: \"3.13\"' below 'kind' if yours is newer"},
  {"refuses_the_default_version_of_mqtt_at_aedes", HEAD REMOTE(", kind: aedes") TAIL, "F:5:47: devices would say MQTT 5, the default, and aedes does not speak it"},
  {"refuses_qos_2_of_rabbitmq", "name: t\nfleet: {devices: 9, telemetry: {qos: 2}}\n" REMOTE(", kind: rabbitmq, version: '4.3'") TAIL, "F:2:38: RabbitMQ has no QoS 2: it answers"},
  {"refuses_qos_2_of_rabbitmq_in_a_step", HEAD REMOTE(", kind: rabbitmq, version: '4.3'") "phases:\n  - name: p\n    do: [connect: {}, telemetry: {qos: 2}]\n", "F:8:40: RabbitMQ has no QoS 2: it answers"},
  {"refuses_a_restart_where_a_kind_has_no_command_for_it", HEAD REMOTE(", kind: mosquitto, pid-file: /run/m.pid") "phases:\n  - name: p\n    do: [connect: {}, restart-broker: {}]\n", "F:8:23: 'restart-broker' needs the hook 'restart'"},
  /* several brokers */
  {"refuses_five_brokers", HEAD "broker: {nodes: [a, b, c, d, e]}\n" TAIL, "F:4:17: 'nodes' has 5 entries; it must have 1 to 4"},
  {"refuses_a_broker_with_a_name_that_is_a_path", HEAD "broker: {nodes: [a, ../b]}\n" TAIL, "F:4:21: '../b' is no name for a broker"},
  {"refuses_two_brokers_of_one_name", HEAD "broker: {nodes: [a, a]}\n" TAIL, "F:4:21: two brokers are called 'a'"},
  {"refuses_a_bridge_from_one_broker_to_nowhere", HEAD "broker: {bridge: yes}\n" TAIL, "F:4:18: a bridge needs two brokers"},
  {"refuses_one_port_for_two_brokers", HEAD "broker: {nodes: [a, b], port: 8883}\n" TAIL, "F:4:31: with several nodes the run chooses the ports"},
  {"refuses_a_bridge_between_far_brokers", HEAD "broker: {urls: ['mqtts://localhost:1', 'mqtts://localhost:2'], bridge: yes}\n" TAIL, "F:4:72: only local brokers are made by the run"},
  {"refuses_url_and_urls", HEAD "broker: {url: mqtts://localhost:1, urls: ['mqtts://localhost:2']}\n" TAIL, "F:4:42: a broker has a 'url' or several 'urls'"},
  {"refuses_the_same_far_broker_twice", HEAD "broker: {urls: ['mqtts://localhost:1', 'mqtts://localhost:1']}\n" TAIL, "F:4:40: 'mqtts://localhost:1' is listed twice"},
  {"refuses_a_second_far_broker_that_may_not_be_loaded", HEAD "broker: {urls: ['mqtts://localhost:1', 'mqtts://far.example:1']}\n" TAIL, "F:4:40: nothing was sent: 'far.example' is beyond"},
  {"refuses_another_order_of_endpoints", HEAD "reconnect: {endpoints: random}\n" TAIL, "F:4:24: 'random' is no value of 'endpoints'"},
  {"wants_to_know_which_broker", HEAD "broker: {nodes: [a, b]}\nphases:\n  - name: p\n    do: [connect: {}, kill-broker: {}]\n", "F:7:36: this step needs one of the brokers: write 'node: a'"},
  {"refuses_an_unknown_broker", DO("kill-broker: {node: z}"), "F:8:29: there is no broker 'z'"},
  {"refuses_to_kill_a_broker_twice", DO("kill-broker: {}\n      - kill-broker: {}"), "F:9:9: 'kill-broker' finds broker a down already"},
  {"refuses_to_start_a_broker_that_runs", DO("start-broker: {}"), "F:8:9: broker a runs already"},
  {"refuses_to_thaw_a_broker_that_is_not_frozen", DO("thaw-broker: {}"), "F:8:9: broker a is not frozen"},
  {"refuses_to_reload_a_broker_that_is_down", DO("stop-broker: {}\n      - reload-broker: {node: a}"), "F:9:9: 'reload-broker' needs broker a, which is down here"},
  {"refuses_to_reload_when_no_broker_is_up", DO("stop-broker: {}\n      - reload-broker: {}"), "F:9:9: 'reload-broker' needs a broker, and all are down or frozen here"},
  {"refuses_to_restart_what_is_frozen", DO("freeze-broker: {}\n      - restart-broker: {}"), "F:9:9: 'restart-broker' needs a broker, and all are down or frozen here"},
  {"refuses_to_prove_at_a_frozen_broker", DO("freeze-broker: {}\n      - prove: {root: A}"), "F:9:9: 'prove' needs broker a, which is frozen here"},
  {"refuses_to_kill_a_far_broker", HEAD REMOTE("") "phases:\n  - name: p\n    do: [connect: {}, kill-broker: {}]\n", "F:8:23: 'kill-broker' works on local brokers only"},
  {"refuses_to_count_devices_on_an_unknown_broker", GATE("on(z) > 0"), "F:7:15: 'z' is no broker of this scenario: write 'on(a)'"},
  {"refuses_to_count_devices_on_no_broker", GATE("on > 0"), "F:7:15: '' is no broker of this scenario"},
  /* names */
  {"refuses_a_name_that_is_an_address", HEAD "names: [{name: 127.0.0.1}]\n" TAIL, "F:4:16: '127.0.0.1' is no host name"},
  {"refuses_a_name_twice", HEAD "names: [{name: a.b}, {name: a.b}]\n" TAIL, "F:4:29: 'a.b' is there twice"},
  {"refuses_a_name_of_an_unknown_broker", HEAD "names: [{name: a.b, nodes: [z]}]\n" TAIL, "F:4:29: there is no broker 'z'"},
  {"refuses_a_name_that_leads_to_a_broker_twice", HEAD "names: [{name: a.b, nodes: [a, a]}]\n" TAIL, "F:4:32: 'a' is listed twice"},
  {"refuses_names_for_a_far_broker", HEAD REMOTE("") "names: [{name: a.b}]\n" TAIL, "F:6:8: a remote broker has a name already"},
  {"refuses_a_false_broker_that_nobody_can_be_led_to", HEAD "broker: {false: {root: B}}\n" TAIL, "F:4:17: no name can lead to the false broker"},
  {"refuses_a_false_broker_of_an_unknown_root", HEAD "broker: {false: {root: Z}}\n" TAIL, "F:4:24: "},
  {"says_how_to_get_a_false_broker", HEAD "names: [{name: a.b, nodes: [false-broker]}]\n" TAIL, "F:4:29: there is no broker 'false-broker': name it in broker.nodes, or add 'false: {root: ROOT}'"},
  {"refuses_to_resolve_without_names", DO("resolve: {nodes: [a]}"), "F:8:18: there is no name to resolve"},
  {"refuses_to_resolve_an_unknown_name", HEAD "names: [{name: a.b}]\nphases:\n  - name: p\n    do: [connect: {}, resolve: {name: c.d}]\n", "F:7:39: 'c.d' is not among the names"},
  {"wants_to_know_which_name", HEAD "names: [{name: a.b}, {name: c.d}]\nphases:\n  - name: p\n    do: [connect: {}, resolve: {}]\n", "F:7:32: this step needs one of the names"},
  /* firmware updates */
  {"refuses_an_update_without_ota", DO("ota.publish: {image: v2, version: 1.1.0}"), "F:8:22: the devices of this scenario take no firmware updates: add 'ota: {}'"},
  {"refuses_a_power_cut_without_ota", DO("power-cut: {share: 5%}"), "F:8:20: the devices of this scenario take no firmware updates"},
  {"refuses_to_count_updates_without_ota", GATE("updated(v2) == 100%"), "F:7:20: the devices of this scenario take no firmware updates"},
  {"refuses_slots_of_half_a_sector", OTA("slots: 70KB", "wait: {for: 1s}"), "F:4:14: '70KB' has the unknown unit 'KB'"},
  {"refuses_slots_that_are_no_sectors", OTA("slots: 66561", "wait: {for: 1s}"), "F:4:14: '66561' is no whole number of sectors: write a multiple of 4KiB"},
  {"refuses_a_small_slot", OTA("slots: 8KiB", "wait: {for: 1s}"), "F:4:14: '8KiB' is out of range: 'slots' is from 16384 to"},
  {"refuses_a_block_of_odd_size", OTA("block: 1536", "wait: {for: 1s}"), "F:4:14: '1536' is no power of two: write 256, 512, 1024 or 2048"},
  {"refuses_a_large_block", OTA("block: 4KiB", "wait: {for: 1s}"), "F:4:14: '4KiB' is out of range: 'block' is from 256 to 2048 bytes"},
  {"refuses_a_large_window", OTA("window: 33", "wait: {for: 1s}"), "F:4:15: '33' is out of range: 'window' is a number from 1 to 32"},
  {"refuses_an_unknown_server", OTA("server: apache", "wait: {for: 1s}"), "F:4:15: 'apache' is no value of 'server': write none or nginx"},
  {"refuses_a_flash_time_without_unit", OTA("flash: {erase: 85}", "wait: {for: 1s}"), "F:4:22: '85' has no unit: write 41us or 85ms"},
  {"refuses_a_flash_that_takes_minutes", OTA("flash: {program: 11s}", "wait: {for: 1s}"), "F:4:24: '11s' is out of range: 'program' is at most 10s"},
  {"refuses_a_factory_image_beyond_the_slot", OTA("slots: 64KiB, factory: {size: 61KiB}", "wait: {for: 1s}"), "F:4:37: '61KiB' is out of range: 'size' is from 1024 to 61440 bytes"},
  {"refuses_half_a_version", OTA("factory: {version: 1.2}", "wait: {for: 1s}"), "F:4:26: '1.2' is no version: write 1.2.0, at most 255.255.65535"},
  {"names_the_nearest_key_of_ota", OTA("blocks: 1KiB", "wait: {for: 1s}"), "F:4:7: unknown key 'blocks' in ota; did you mean 'block'?"},
  {"wants_a_name_for_the_image", OTA("", "ota.publish: {version: 1.1.0}"), "F:9:22: the image needs a name: write 'image: v2'"},
  {"wants_a_version_for_the_image", OTA("", "ota.publish: {image: v2}"), "F:9:22: the image needs a version: write 'version: 1.1.0'"},
  {"refuses_a_path_as_image_name", OTA("", "ota.publish: {image: ../v2, version: 1.1.0}"), "F:9:30: '../v2' is no name for an image"},
  {"refuses_to_publish_the_factory_image", OTA("", "ota.publish: {image: factory, version: 1.1.0}"), "F:9:30: 'factory' is the image that every device has already"},
  {"refuses_two_images_of_one_name", OTA("", PUBLISH("") "\n      - ota.publish: {image: v2, version: 1.2.0}"), "F:10:30: two images are called 'v2'"},
  {"refuses_two_images_of_one_version", OTA("", PUBLISH("") "\n      - ota.publish: {image: v3, version: 1.1.0}"), "F:10:43: image 'v2' has that version"},
  {"refuses_an_image_of_the_factory's_version", OTA("", "ota.publish: {image: v2, version: 1.0.0}"), "F:9:43: image 'factory' has that version"},
  {"refuses_a_counter_that_is_not_above_the_factory's", OTA("factory: {counter: 7}", PUBLISH(", counter: 7")), "F:9:59: '7' is not above ota.factory.counter, 7"},
  {"refuses_an_image_beyond_the_slot", OTA("slots: 256KiB", PUBLISH(", size: 256KiB")), "F:9:56: '256KiB' is out of range: 'size' is from 1024 to 258048 bytes"},
  {"refuses_a_bundle_of_one_root", OTA("", PUBLISH(", trust: [B]")), "F:9:57: a trust bundle needs at least two roots"},
  {"refuses_a_bundle_of_an_unknown_root", OTA("", PUBLISH(", trust: [B, Z]")), "F:9:61: 'Z' is no root of this scenario"},
  {"refuses_failing_without_a_failure", OTA("", PUBLISH(", failing: 5%")), "F:9:59: the image passes its self-test: add 'self-test: fail'"},
  {"refuses_an_unknown_outcome_of_the_trial", OTA("", PUBLISH(", self-test: maybe")), "F:9:61: 'maybe' is no value of 'self-test': write pass, fail, crash or hang"},
  {"refuses_a_file_with_a_version", OTA("", PUBLISH(", file: x.bin")), "F:9:43: a file is published as it is: leave 'version' out"},
  {"refuses_a_rescue_that_nobody_looks_for", OTA("", PUBLISH(", rescue: yes")), "F:9:58: no device ever looks for a rescue: add 'rescue: {after: 3}'"},
  {"refuses_a_rescue_over_mqtt", OTA("rescue: {}", PUBLISH(", rescue: yes, via: mqtt")), "F:9:68: a rescue is for devices without a broker"},
  {"refuses_https_without_a_server", OTA("server: none", PUBLISH(", via: https")), "F:4:15: without a server no image can go by HTTPS"},
  {"refuses_https_for_a_fleet_that_is_elsewhere", HEAD REMOTE("") "ota: {}\nphases:\n  - name: p\n    do: [connect: {}, ota.publish: {image: v2, version: 1.1.0, via: https}]\n", "F:6:6: the run's own image server is on loopback, and broker far.example is not"},
  {"wants_an_image_to_roll_out", OTA("", "ota.rollout: {}"), "F:9:22: this step needs an image: write 'image: v2'"},
  {"refuses_to_roll_out_what_is_never_published", OTA("", "ota.rollout: {image: v2}"), "F:9:30: image 'v2' is never published: put 'ota.publish: {image: v2, version: 1.1.0}' above"},
  {"refuses_to_roll_out_what_is_published_later", OTA("", "ota.rollout: {image: v2}\n      - " PUBLISH("")), "F:9:9: image 'v2' is published further down"},
  {"refuses_to_roll_out_the_factory_image", OTA("", "ota.rollout: {image: factory}"), "F:9:30: every device has the image 'factory' from the start"},
  {"refuses_to_roll_out_before_a_connect", HEAD "ota: {}\nphases:\n  - name: p\n    do: [" PUBLISH("") ", ota.rollout: {image: v2}, connect: {}]\n", "F:7:52: 'ota.rollout' comes before any device is online"},
  {"refuses_waves_and_a_rate", OTA("", ROLLOUT("waves: [100%], rate: 1/s")), "F:10:55: a rollout goes in waves or by a rate"},
  {"refuses_a_thirty_third_rollout", OTA("", PUBLISH("") NEXT EIGHT_ROLLOUTS EIGHT_ROLLOUTS EIGHT_ROLLOUTS EIGHT_ROLLOUTS "ota.rollout: {image: v2}"), "F:42:9: a run has at most 32 rollouts"},
  {"refuses_growth_without_a_rate", OTA("", ROLLOUT("growth: 2")), "F:10:42: 'growth' is of a rollout by rate"},
  {"refuses_to_count_what_does_not_grow", OTA("", ROLLOUT("rate: 1/s, after: 3")), "F:10:52: this rate does not grow"},
  {"refuses_a_rate_that_shrinks", OTA("", ROLLOUT("rate: 1/s, growth: 0.5")), "F:10:53: '0.5' is no factor: write a number from 1 to 5"},
  {"refuses_jitter_beyond_the_wave", OTA("", ROLLOUT("within: 5s, jitter: 6s")), "F:10:54: '6s' is out of range: 'jitter' is from 0s to 5s"},
  {"refuses_to_stop_at_success", OTA("", ROLLOUT("abort: [{status: confirmed}]")), "F:10:51: 'confirmed' is no failure"},
  {"refuses_to_stop_at_an_unknown_status", OTA("", ROLLOUT("abort: [{status: sick}]")), "F:10:51: 'sick' is no status of an update"},
  {"refuses_to_stop_at_no_share", OTA("", ROLLOUT("abort: [{share: 0%}]")), "F:10:50: '0%' is nobody"},
  {"refuses_to_stop_at_nobody", OTA("", ROLLOUT("abort: [{minimum: 0}]")), "F:10:52: '0' is out of range: 'minimum' is a number from 1"},
  {"refuses_to_pause_what_has_ended", OTA("", ROLLOUT("jitter: 0s") "\n      - ota.pause: {}"), "F:11:9: no rollout goes on here: add 'background: yes' to the 'ota.rollout' above this 'ota.pause'"},
  {"refuses_to_resume_nothing", OTA("", "ota.resume: {}"), "F:9:9: no rollout goes on here"},
  {"refuses_to_abort_nothing", OTA("", "ota.abort: {}"), "F:9:9: no rollout goes on here"},
  {"refuses_to_damage_what_is_not_published_yet", OTA("", "corrupt: {image: v2, how: bit-flip}\n      - " PUBLISH("")), "F:9:9: image 'v2' is published further down: put its 'ota.publish' above this 'corrupt'"},
  {"wants_to_know_how_to_damage_it", OTA("", PUBLISH("") "\n      - corrupt: {image: v2}"), "F:10:18: this step needs to know how: write 'how: bit-flip'"},
  {"refuses_unknown_damage", OTA("", PUBLISH("") "\n      - corrupt: {image: v2, how: burnt}"), "F:10:35: 'burnt' is no value of 'how': write one of bit-flip, truncated, endless, bad-magic, "},
  {"refuses_a_power_cut_of_nobody", OTA("", "power-cut: {}"), "F:9:20: this step needs devices"},
  {"refuses_a_mean_of_cuts_at_every_operation", OTA("", "power-cut: {share: 5%, at: every-operation, every: 5}"), "F:9:60: 'every-operation' cuts at one operation after the other"},
  {"refuses_no_cuts", OTA("", "power-cut: {share: 5%, times: 0}"), "F:9:39: '0' is out of range: 'times' is a number from 1"},
  {"refuses_to_disturb_a_server_that_is_not_there", OTA("", "cdn: {cut: 5%}"), "F:9:14: there is no image server: publish an image 'via: https'"},
  {"refuses_to_disturb_nothing", OTA("server: nginx", "cdn: {}"), "F:9:14: this step disturbs nothing"},
  {"refuses_to_cut_nobody_late", OTA("server: nginx", "cdn: {refuse: yes, after: 3}"), "F:9:35: no connection is cut: add 'cut: 20%'"},
  {"refuses_to_mend_and_to_cut", OTA("server: nginx", "cdn: {mend: yes, cut: 5%}"), "F:9:21: 'mend' ends every fault of the server"},
  {"refuses_to_mend_a_sound_server", OTA("server: nginx", "cdn: {mend: yes}"), "F:9:9: the image server has nothing to mend"},
  {"refuses_to_refuse_and_to_stall", OTA("server: nginx", "cdn: {refuse: yes, stall: yes}"), "F:9:35: what is refused cannot stall"},
  {"refuses_to_count_an_unknown_image", HEAD "ota: {}\nphases:\n  - name: p\n    do: [connect: {}]\n    until: updated(v2) == 100%\n", "F:8:20: 'v2' is no image of this scenario: write 'updated(factory)', or publish it"},
  {"refuses_to_count_an_unknown_status", HEAD "ota: {}\nphases:\n  - name: p\n    do: [connect: {}]\n    until: ota(sick) == 100%\n", "F:8:16: 'sick' is no status of an update: write 'ota(confirmed)'"},
  {"refuses_a_far_restart_without_its_hook", HEAD REMOTE(", hooks: {reload: x}") "phases:\n  - name: p\n    do: [connect: {}, restart-broker: {}]\n", "F:8:23: 'restart-broker' needs the hook 'restart'"},
};
/* clang-format on */

static void refuses(void **state)
{
  const struct refusal *row = *state;
  struct scenario *scenario = NULL;
  struct error error = {0};
  if (load_text(row->text, strlen(row->text), NULL, 0, &scenario, &error) == 0) {
    scenario_free(scenario);
    fail_msg("this was taken, wanted '%s':\n%s", row->says, row->text);
  }
  /* a permission that is missing is no mistake in the file */
  bool forbidden = strstr(row->says, "nothing was sent") != NULL;
  assert_int_equal(error.code, forbidden ? EXIT_CODE_SETUP : EXIT_CODE_USAGE);
  if (strncmp(error.text, row->says, strlen(row->says)) != 0)
    fail_msg("wanted '%s', got '%s'", row->says, error.text);
}

int main(void)
{
  enum { COUNT = sizeof refusals / sizeof *refusals };
  static struct refusal rows[COUNT];
  static struct CMUnitTest tests[COUNT];
  memcpy(rows, refusals, sizeof refusals);
  for (size_t i = 0; i < COUNT; i++)
    tests[i] = (struct CMUnitTest){
        .name = rows[i].sentence, .test_func = refuses, .initial_state = &rows[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
