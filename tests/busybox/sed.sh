# SPDX-License-Identifier: MIT OR Apache-2.0
printf 'one\ntwo\nthree\nfour\nfive\n' > s
sed 's/o/0/' s
sed -n '2,4p' s
sed '/three/d' s
sed 's/\(t\)\(.\)/\2\1/g' s
sed -e '1i\
first' -e '$a\
last' s
sed -n '$=' s
sed 'y/aeiou/AEIOU/' s
sed '2q' s
sed -n '/two/,/four/{s/$/!/;p}' s
sed -i 's/one/ONE/' s; head -1 s
echo a b c | sed 's/ /\n/g'
sed ':a;N;$!ba;s/\n/,/g' s
