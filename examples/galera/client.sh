# Writes through the balancer, one row after another, and says what it meets.
export MYSQL_PWD=$(cat /run/secrets/password)
ask() { mariadb --no-defaults --host=balancer --user=shop --connect-timeout=2 --batch --skip-column-names shop --execute="$1"; }
now() { date +%s%N | cut -c 1-13; }

until ask 'CREATE TABLE IF NOT EXISTS ticks (id BIGINT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP(3))' 2>/dev/null; do
  sleep 0.5
done
last=$(now)
while :; do
  if ask 'INSERT INTO ticks (at) VALUES (NOW(3))' 2>/tmp/error; then
    gap=$(($(now) - last))
    last=$(now)
    [ "$gap" -lt 1000 ] || echo "no write for $gap ms; now $(ask 'SELECT COUNT(*) FROM ticks') rows, by $(ask 'SELECT @@wsrep_node_name')"
  fi
  sleep 0.1
done
