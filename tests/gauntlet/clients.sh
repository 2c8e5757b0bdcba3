# shellcheck shell=sh disable=SC2034,SC2154 # variables of who sources it
# Sourced: MQTT clients and downloaders of others that the gauntlet is tried on. Each is called so that it connects once,
# publishes one message (QoS 1 where it can; curl fetches an image, or publishes at QoS 0), gives up after 5 s of silence,
# and ends with 0 only if it came to that.
#
#   gauntlet_here   this folder
#   gauntlet_build  the folder of the program, with paho_pub beside it; what './fleetsim test' fetched is in mqttjs/ and curl/
#                   there, or in the build without a sanitizer

gauntlet_clients="mosquitto_pub paho_c paho_python mqttjs curl_mqtts curl_https"

# A python3 that has paho: Debian's package is of Debian's Python, which need not be the first one.
client_python() {
  for python in python3 /usr/bin/python3; do
    "$python" -c 'import paho.mqtt.client' 2>/dev/null && { echo "$python"; return; }
  done
  return 1
}

# The folder that holds mqtt.js
client_modules() {
  for modules in "$gauntlet_build/mqttjs/node_modules" "${gauntlet_build%-asan}/mqttjs/node_modules"; do
    [ ! -f "$modules/mqtt/package.json" ] || { echo "$modules"; return; }
  done
  return 1
}

# A curl that speaks MQTT over TLS
client_curl() {
  for curl in curl "$gauntlet_build/curl/curl" "${gauntlet_build%-asan}/curl/curl"; do
    ! "$curl" --version 2>/dev/null | grep -q '^Protocols:.* mqtts' || { echo "$curl"; return; }
  done
  return 1
}

# client_missing NAME: why it cannot be tried here; nothing if it can
client_missing() {
  case $1 in
  mosquitto_pub) command -v mosquitto_pub >/dev/null || echo "mosquitto-clients is not installed" ;;
  paho_c) [ -x "$gauntlet_build/paho_pub" ] || echo "paho_pub is not built: ninja -C $gauntlet_build paho_pub" ;;
  paho_python) client_python >/dev/null || echo "python3-paho-mqtt is not installed" ;;
  mqttjs)
    node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null ||
      { echo "node 20 or newer is not installed"; return; }
    client_modules >/dev/null || echo "mqtt.js is not in $gauntlet_build/mqttjs, './fleetsim test' puts it there with npm"
    ;;
  curl_mqtts)
    client_curl >/dev/null || echo "curl has mqtts since 8.19.0; './fleetsim test' fetches one of Debian sid where it can"
    ;;
  curl_https) command -v curl >/dev/null || echo "curl is not installed" ;;
  esac
}

client_curl_version() { sed -n '1s/^curl \([0-9.]*\).* \(OpenSSL\)\/\([0-9.]*\).*/curl \1, \2 \3/p'; }

# client_version NAME: its name and version, as it says them itself
client_version() {
  case $1 in
  mosquitto_pub) mosquitto_pub --version | sed 's/.*version \([0-9.]*\) running.*/mosquitto_pub \1/' ;;
  paho_c) "$gauntlet_build/paho_pub" --version ;;
  paho_python) "$(client_python)" -c 'import paho.mqtt as p, ssl; print("paho for Python", p.__version__ + ",", *ssl.OPENSSL_VERSION.split()[:2])' ;;
  mqttjs) echo "mqtt.js $(node -p 'require(process.argv[1]).version' "$(client_modules)/mqtt/package.json"), node $(node -p process.versions.node)" ;;
  curl_mqtts) "$(client_curl)" --version | client_curl_version ;;
  curl_https) curl --version | client_curl_version ;;
  esac
}

# client_kinds NAME: how it can be called: strict, and its ways of being insecure. name: the certificate's name is not
# compared, all else is (mosquitto's --insecure, whatever its name says); all: the certificate is not looked at.
client_kinds() {
  case $1 in
  mosquitto_pub) echo "strict name" ;;
  paho_c | paho_python | mqttjs) echo "strict name all" ;;
  curl_*) echo "strict all" ;;
  esac
}

# client_command NAME KIND: what --exec is given
client_command() {
  # shellcheck disable=SC2016 # the words in braces are the gauntlet's
  files='{ca} {cert} {key}'
  insecure=
  [ "$2" = strict ] || insecure="--insecure $2"
  case $1 in
  mosquitto_pub)
    echo "mosquitto_pub -h {host} -p {port} --cafile {ca} --cert {cert} --key {key} -i {id} -k 5 -q 1 -t gauntlet/{id} -m hello ${insecure%% *}"
    ;;
  paho_c) echo "$gauntlet_build/paho_pub {host} {port} $files {id} $insecure" ;;
  paho_python) echo "$(client_python) $gauntlet_here/paho_py.py {host} {port} $files {id} $insecure" ;;
  mqttjs) echo "node $gauntlet_here/mqttjs/publish.mjs $(client_modules) {host} {port} $files {id} $insecure" ;;
  curl_mqtts)
    echo "$(client_curl) -sS --max-time 5 --cacert {ca} --cert {cert} --key {key} -d hello ${insecure:+-k} mqtts://{host}:{port}/gauntlet/{id}"
    ;;
  curl_https) # a redirection is followed, by who is strict to HTTPS only
    [ -z "$insecure" ] || insecure=-k
    echo "curl -fsSL --max-time 5 --cacert {ca} --cert {cert} --key {key} -o {out} ${insecure:---proto =https} {url}"
    ;;
  esac
}

# client_lacks KIND: the checks that it is without, in the words of certs/README.md
client_lacks() {
  case $1 in
  name) echo name ;;
  all) echo "trust name time usage issuer signature strength extension constraints" ;;
  esac
}
