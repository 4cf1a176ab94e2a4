# Signs a call with the credentials of the machine's role and makes it, with nothing but busybox.
# signed-call.sh HOST:PORT SERVICE BODY
host=$1 service=$2 body=$3
role=$(metadata meta-data/iam/security-credentials/)
given=$(metadata "meta-data/iam/security-credentials/$role")
member() { echo "$given" | sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p"; }
digest() { sha256sum | cut -d' ' -f1; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# hmac HEXKEY < MESSAGE, in hexadecimal
hmac() {
    inner= outer= rest=$1
    while [ ${#rest} -lt 128 ]; do rest=${rest}00; done
    while [ -n "$rest" ]; do
        tail=${rest#??} byte=$((0x${rest%"$tail"})) rest=$tail
        inner=$inner$(printf '\\%03o' $((byte ^ 54))) outer=$outer$(printf '\\%03o' $((byte ^ 92)))
    done
    first=$({ printf "$inner"; cat; } | digest)
    { printf "$outer"; printf "$(echo "$first" | sed 's/../\\x&/g')"; } | digest
}

now=$(date -u +%Y%m%dT%H%M%SZ) day=$(date -u +%Y%m%d) token=$(member Token)
scope=$day/us-east-1/$service/aws4_request
names='host;x-amz-date;x-amz-security-token'
request=$(printf 'POST\n/\n\nhost:%s\nx-amz-date:%s\nx-amz-security-token:%s\n\n%s\n%s' \
    "$host" "$now" "$token" "$names" "$(printf %s "$body" | digest)")
text=$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$now" "$scope" "$(printf %s "$request" | digest)")
key=$(printf %s "AWS4$(member SecretAccessKey)" | hex)
for part in "$day" us-east-1 "$service" aws4_request; do key=$(printf %s "$part" | hmac "$key"); done
signature=$(printf %s "$text" | hmac "$key")
wget -q -O - --post-data "$body" --header "x-amz-date: $now" --header "x-amz-security-token: $token" --header \
    "authorization: AWS4-HMAC-SHA256 Credential=$(member AccessKeyId)/$scope, SignedHeaders=$names, Signature=$signature" \
    "http://$host/"
