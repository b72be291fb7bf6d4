/**
 * A client-given string as it may be shown: one line, without controls, invisible characters and changes of writing
 * direction (with which `evil.example` can be made to read as something else), cut to `maximum` characters.
 * Escaping for HTML is the template's business.
 * @param text attacker-controlled
 */
export function displayText(text: string, maximum = 80): string {
  const visible = text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\p{C}\p{Default_Ignorable_Code_Point}]/gu, '')
    .trim();
  const characters = [...visible];
  return characters.length <= maximum ? visible : `${characters.slice(0, maximum - 1).join('')}…`;
}
